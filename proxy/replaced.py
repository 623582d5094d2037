"""Which outputs of a session are replaced by what: folded from its events, with the texts that go upstream."""

import msgspec

from context.messages import decode_message
from context.replacements import Known, Replacement, Stage
from schema.context import ContentMasked, OutputsMasked, ReplacedOutput
from schema.forking import SessionForked
from schema.registry import Event


class Held(msgspec.Struct):
    """A replacement; `message` is the whole message that goes upstream, None until it was read from the log."""

    stage: Stage
    output: ReplacedOutput
    message: bytes | None = None

    def known(self) -> Known | None:
        """None where the text is not there."""
        if self.message is None:
            return None
        text = decode_message(self.message).get("content")
        if not isinstance(text, str):
            return None
        of = self.output
        return Known(of.at, Replacement(0, self.stage, of.hash, of.tool, text, of.tokens_before, of.tokens_after))


class Replaced:
    """By the key of the occurrence, each in the order of the events: the last one holds."""

    def __init__(self) -> None:
        self._held: dict[bytes, list[Held]] = {}

    def put(self, held: Held) -> None:
        self._held.setdefault(bytes.fromhex(held.output.key), []).append(held)

    def withdraw(self, held: Held) -> None:
        """It was not decided after all; it must be the last one of its occurrence."""
        self._held[bytes.fromhex(held.output.key)].remove(held)

    def of(self, key: bytes) -> list[Held]:
        return self._held.get(key, [])

    def all(self) -> list[Held]:
        return [held for each in self._held.values() for held in each]

    def __bool__(self) -> bool:
        return bool(self._held)

    def apply(self, event: Event) -> None:
        if isinstance(event, ContentMasked):
            if event.output.key:  # one of the gateway's is bound to no conversation
                self.put(Held(event.stage, event.output))
        elif isinstance(event, OutputsMasked):
            for output in event.outputs:
                self.put(Held("mask", output))
        elif isinstance(event, SessionForked):
            for carried in event.replaced:
                self.put(Held(carried.stage, carried.output))
