"""Configured secrets taken out of texts that are shown: previews and error messages (decisions 3.14)."""

import re
from collections.abc import Iterable

_MIN_LENGTH = 6  # shorter ones would blank ordinary words


class Redactor:
    """Replaces every secret by `[redacted]`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _MIN_LENGTH}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub("[redacted]", text)
