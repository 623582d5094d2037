"""A text made shorter (contract 34). Nothing is stored."""

import asyncio
import base64
import time
import zlib
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, Field

from api.bodies import RequestBody, documented, read
from api.fields import UNICODE
from api.memory_fields import MOST_BYTES
from api.services import Use
from api.writing import Writes
from commands.workspace import Acknowledge
from context.shorter import Count, names_kept, shorter

router = APIRouter(prefix="/api/memory", tags=["memory"])

Algorithm = Literal["context_aware", "extractive", "zlib"]


def _short(text: str) -> str:
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"must not be longer than {MOST_BYTES} bytes")
    return text


class CompressBody(RequestBody):
    """`target_ratio` is how much of the tokens may stay; zlib takes what it takes."""

    content: Annotated[str, Field(min_length=1, max_length=MOST_BYTES), UNICODE, AfterValidator(_short)]
    algorithm: Algorithm = "context_aware"
    target_ratio: Annotated[float, Field(ge=0.1, le=0.9)] = 0.5


class Compressed(BaseModel):
    """`compression_ratio` is the share of tokens saved, `quality_score` that of identifiers that are still there as
    they were. `compressed_content` of zlib is base64, which no model reads: its tokens are those of that text, so it
    may be longer; it is decompressed once, and `decompression_time_ms` says how long that took."""

    original_tokens: int
    compressed_tokens: int
    compression_ratio: float
    algorithm: Algorithm
    decompression_time_ms: float
    quality_score: float
    compression_available: bool
    savings_percent: float
    compressed_content: str


@router.post("/compress", openapi_extra=documented(CompressBody))
async def compress(
    body: Annotated[CompressBody, Depends(read(CompressBody))], services: Use, writes: Writes
) -> Compressed:
    """What a text can be said with. Nothing is stored."""
    await writes.append(Acknowledge())
    return await asyncio.to_thread(_compressed, body, services.count)


def _compressed(body: CompressBody, count: Count) -> Compressed:
    text, took = body.content, 0.0
    if body.algorithm == "zlib":
        packed = zlib.compress(text.encode(), 9)
        begun = time.perf_counter()
        quality = float(zlib.decompress(packed).decode() == text)
        took = round((time.perf_counter() - begun) * 1_000, 3)
        made = base64.b64encode(packed).decode()
    else:
        made = shorter(text, body.target_ratio, count, aware=body.algorithm == "context_aware")
        quality = round(names_kept(text, made), 4)
    before, after = count(text), count(made)
    if after >= before:  # it is as short as it gets
        made, after, quality = text, before, 1.0
    saved = 1 - after / before if before else 0.0
    return Compressed(
        original_tokens=before,
        compressed_tokens=after,
        compression_ratio=round(saved, 4),
        algorithm=body.algorithm,
        decompression_time_ms=took,
        quality_score=quality,
        compression_available=True,
        savings_percent=round(100 * saved, 2),
        compressed_content=made,
    )
