"""Types that several sections of the configuration are made of."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

Tokens = Annotated[int, Field(ge=1, le=1 << 40)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
_FRAMING = ("content-length", "transfer-encoding", "connection")


def _secret(value: str) -> str:
    """Files and shells leave white space around a key."""
    value = value.strip()
    if not value.isprintable() or not value.isascii():
        raise ValueError("a key is one line of ASCII")
    return value


def _url(value: str) -> str:
    """Empty where an environment variable is not set: then the provider counts as not configured."""
    value = value.strip()
    if not value:
        return value
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable():
        raise ValueError("must be an http:// or https:// address")
    return value


def sendable_headers(headers: dict[str, str]) -> dict[str, str]:
    """Raises ValueError for what cannot be sent."""
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{name!r} is no header name")
        if name.lower() in _FRAMING:
            raise ValueError(f"{name} is set by the HTTP client")
        if not value.isprintable():
            raise ValueError(f"the value of {name} cannot be sent")
    return headers


Secret = Annotated[str, AfterValidator(_secret)]
Url = Annotated[str, AfterValidator(_url)]
STRICT = ConfigDict(strict=True, extra="ignore", frozen=True)  # a string is no number and a number no flag
