"""Configured secrets taken out of texts that are shown: previews and error messages (decisions 3.14)."""

import re
from collections.abc import Iterable

_MIN_LENGTH = 6  # shorter ones would blank ordinary words
_REDACTED = "[redacted]"
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^/?#@\s\"'<>]{1,500}@")
_QUERY = re.compile(r"(?i)([?&;](?:key|api_key|apikey|token|access_token)=)[^&;#\s\"'<>]+")


class Redactor:
    """Replaces every secret by `[redacted]`. `names` are what the configuration calls things: a secret that is a part
    of one is none, in the log neither."""

    def __init__(self, secrets: Iterable[str], names: Iterable[str] = ()) -> None:
        named = tuple(names)
        found = {each for each in secrets if len(each) >= _MIN_LENGTH and not any(each in name for name in named)}
        known = sorted(found, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(_REDACTED, text)

    def error(self, text: str) -> str:
        """An error's text: also without what any address in it has of passwords and keys, whoever configured it."""
        return _QUERY.sub(rf"\1{_REDACTED}", _USERINFO.sub(rf"\1{_REDACTED}@", self(text)))
