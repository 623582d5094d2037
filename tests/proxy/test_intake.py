import gzip
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.intake import ClientGoneError, read_body
from proxy.openai_errors import Refusal

JSON = (b"content-type", b"application/json")


def receiving(*messages: dict[str, Any]) -> Callable[[], Awaitable[dict[str, Any]]]:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def piece(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def refusal(*messages: dict[str, Any], headers: list[tuple[bytes, bytes]], limit: int = 100) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await read_body(receiving(*messages), headers, limit)
    return caught.value


async def test_one_piece_is_not_copied() -> None:
    body = b"{}"
    assert await read_body(receiving(piece(body)), [JSON], 100) is body


async def test_pieces_are_joined() -> None:
    assert await read_body(receiving(piece(b"{", True), piece(b"}", True), piece(b"")), [JSON], 100) == b"{}"


@pytest.mark.parametrize("kind", [b"application/json; charset=utf-8", b"application/vnd.api+json", b"Application/JSON"])
async def test_json_types(kind: bytes) -> None:
    assert await read_body(receiving(piece(b"{}")), [(b"content-type", kind)], 100) == b"{}"


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"text/plain")], [(b"content-type", b"text/json")]])
async def test_other_types_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    assert (await refusal(piece(b"{}"), headers=headers)).status == 415


async def test_gzip_is_inflated_and_limited_after_inflation() -> None:
    headers = [JSON, (b"content-encoding", b"gzip")]
    assert await read_body(receiving(piece(gzip.compress(b"{}"))), headers, 100) == b"{}"
    assert (await refusal(piece(gzip.compress(b"x" * 5_000)), headers=headers)).status == 413
    assert (await refusal(piece(b"not gzip"), headers=headers)).status == 400
    assert (await refusal(piece(gzip.compress(b"x" * 50)[:-12]), headers=headers)).status == 400


async def test_gzip_of_several_members_is_taken_whole() -> None:
    headers = [JSON, (b"content-encoding", b"gzip")]
    packed = gzip.compress(b'{"model"') + gzip.compress(b"") + gzip.compress(b': "m"}')
    assert await read_body(receiving(piece(packed)), headers, 1_000) == b'{"model": "m"}'
    long = random.Random(7).randbytes(100_000)  # in many pieces
    assert (
        await read_body(receiving(piece(gzip.compress(long[:50_000]) + gzip.compress(long[50_000:]))), headers, 1 << 20)
        == long
    )
    assert (await refusal(piece(gzip.compress(b"x" * 60) * 2), headers=headers)).status == 413
    for behind in (b"{}", b"\0", gzip.compress(b"}")[:-9]):
        assert (await refusal(piece(gzip.compress(b"{}") + behind), headers=headers)).status == 400
    assert (await refusal(piece(gzip.compress(b"") * 2_000), headers=headers, limit=1 << 20)).status == 400


@pytest.mark.parametrize("said", [[], [(b"content-length", b"0")], [(b"content-encoding", b"gzip")], [JSON]])
@pytest.mark.parametrize("kind", [[], [(b"content-type", b"text/plain")]])
async def test_no_body_is_an_empty_object_of_any_type(
    said: list[tuple[bytes, bytes]], kind: list[tuple[bytes, bytes]]
) -> None:
    assert await read_body(receiving(piece(b"")), [*said, *kind], 100) == b"{}"


async def test_size_comes_before_type() -> None:
    assert (await refusal(headers=[(b"content-length", b"101")])).status == 413
    assert (await refusal(headers=[(b"content-length", b"99")])).status == 415  # without reading on
    assert (await refusal(piece(b"x" * 60, True), piece(b"x" * 60, True), headers=[])).status == 413


async def test_other_encodings_are_refused() -> None:
    assert (await refusal(piece(b"{}"), headers=[JSON, (b"content-encoding", b"br")])).status == 415


async def test_too_large_is_known_early_and_late() -> None:
    assert (await refusal(headers=[JSON, (b"content-length", b"101")])).status == 413
    assert (await refusal(piece(b"x" * 101), headers=[JSON])).status == 413
    assert (await refusal(piece(b"x" * 60, True), piece(b"x" * 60, True), headers=[JSON])).status == 413


async def test_a_client_that_leaves_while_sending() -> None:
    with pytest.raises(ClientGoneError):
        await read_body(receiving(piece(b"{", True), {"type": "http.disconnect"}), [JSON], 100)
