"""Configured secrets on their way into the log: a key that stands in a name, a label or a tool call is not stored.

Looked for in the bytes of each event, which costs a search per secret; only what holds one is taken apart. Bodies are
left alone: messages are kept as they came, sealed.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from schema.recorded import Metadata
from schema.registry import Event

REDACTED = "[redacted]"
_LEAST = 6  # characters; shorter ones would blank ordinary words
_HEX = re.compile("[0-9a-f]+")
_LEAST_HEX = 16  # characters of a secret that is looked for in what may be a hash

E = TypeVar("E", bound=Event)


class ConfiguredSecrets:
    """`names` are what the configuration calls things: a secret that is a part of one (the key `ollama` of a local
    server of that name) is no secret, and would blank what events need. Usable from any thread."""

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        known = tuple(names)
        self._texts = tuple(
            sorted(
                {each for each in secrets if len(each) >= _LEAST and not any(each in name for name in known)},
                key=len,
                reverse=True,
            )
        )
        forms = {form for text in self._texts for form in (text.encode(), msgspec.json.encode(text)[1:-1])}
        self._forms = tuple(sorted(forms))

    def stand_in(self, *stored: bytes) -> bool:
        """Whether any stands in one of these UTF-8 or JSON texts."""
        return any(form in part for form in self._forms for part in stored)

    def cleaned(self, event: E) -> E:
        """The event with each of its texts cleaned; itself where it would then be none of its kind."""
        fields = msgspec.to_builtins(event)
        try:
            return msgspec.convert({name: self._value(value) for name, value in fields.items()}, type(event))
        except msgspec.ValidationError:
            return event

    def cleaned_metadata(self, metadata: Metadata) -> Metadata:
        return msgspec.structs.replace(
            metadata,
            by=metadata.by and self.text(metadata.by),
            correlation_id=metadata.correlation_id and self.text(metadata.correlation_id),
        )

    def text(self, text: str) -> str:
        """`text` with `[redacted]` in the place of each secret. Among hexadecimal digits only long ones are looked for:
        a short one may stand there by chance."""
        least = _LEAST_HEX if _HEX.fullmatch(text) else 0
        for secret in self._texts:
            if len(secret) >= least:
                text = text.replace(secret, REDACTED)
        return text

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._value(key): self._value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        return value
