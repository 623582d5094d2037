"""Configured secrets are in nothing that the log stores, and what is no secret stays as it was."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from schema.codec import DomainEvent, EventTranscoder
from schema.configured_secrets import ConfiguredSecrets
from schema.exchanges import ExchangeFailed, Timings, Usage
from schema.keys import KeyStore
from schema.recorded import Metadata
from schema.registry import Event
from schema.sealing import Sealer
from schema.sessions import SessionRenamed
from tests.schema.events import any_event, started

KEY = "sk-planted-0001"
tried = settings(deadline=None, max_examples=200)


def failed(**fields: object) -> ExchangeFailed:
    values = {"session_id": 1, "exchange_id": 1, "usage": Usage(), "timings": Timings(), "error_code": "http_500"}
    return ExchangeFailed(**{**values, **fields})  # type: ignore[arg-type]


def test_a_secret_is_taken_out_of_every_text_of_an_event() -> None:
    secrets = ConfiguredSecrets([KEY, f"{KEY}-longer"])
    given_ = failed(
        usage_raw={KEY: [f"a {KEY}-longer b", 7, None, {"deep": KEY}]}, error_message=f"wrong key {KEY}", attempts=3
    )
    wanted = failed(
        usage_raw={"[redacted]": ["a [redacted] b", 7, None, {"deep": "[redacted]"}]},
        error_message="wrong key [redacted]",
        attempts=3,
    )
    assert secrets.cleaned(given_) == wanted


@tried
@given(any_event)
def test_an_event_without_secrets_is_the_same_afterwards(event: Event) -> None:
    assert ConfiguredSecrets(["a-secret-that-nobody-draws"]).cleaned(event) == event


@pytest.mark.parametrize(
    ("secrets", "names", "stored", "found"),
    [
        ([KEY], (), f'{{"name":"x {KEY}"}}', True),
        ([KEY], (), '{"name":"x"}', False),
        (["short"], (), '{"name":"short"}', False),
        (["ollama"], ("ollama",), '{"provider":"ollama"}', False),
        (["ollama"], ("my-ollama-box",), '{"provider":"my-ollama-box"}', False),
        (['with"quote'], (), msgspec.json.encode({"name": 'with"quote'}).decode(), True),
        (["schlüssel"], (), msgspec.json.encode({"name": "schlüssel"}).decode(), True),
    ],
)
def test_what_is_looked_for(secrets: list[str], names: tuple[str, ...], stored: str, *, found: bool) -> None:
    assert ConfiguredSecrets(secrets, names).stand_in(stored.encode()) == found


def test_a_short_secret_is_not_looked_for_in_what_may_be_a_hash() -> None:
    digest = "abcdef0123456789" * 4
    event = msgspec.structs.replace(failed(answer_ref=digest), error_message="abcdef is wrong")
    cleaned = ConfiguredSecrets(["abcdef"]).cleaned(event)
    assert (cleaned.answer_ref, cleaned.error_message) == (digest, "[redacted] is wrong")
    assert ConfiguredSecrets([digest[:32]]).text(digest) == "[redacted][redacted]"


def test_what_would_be_no_event_of_its_kind_stays() -> None:
    event = failed(usage=Usage(source="estimated"))
    assert ConfiguredSecrets(["estimated"]).cleaned(event) == event


@tried
@given(started)
def test_what_is_stored_and_what_is_told_are_without_it(tmp_path_factory: pytest.TempPathFactory, event: Event) -> None:
    directory = tmp_path_factory.mktemp("keys")
    keys = KeyStore(directory / "keys.sqlite")
    sealer = Sealer(keys)
    transcoder = EventTranscoder(sealer, ConfiguredSecrets([KEY]))
    marked = msgspec.structs.replace(event, model_sent=f"m-{KEY}", preview=f"p {KEY}")
    sealer.ensure_keys({marked.session_id})  # type: ignore[attr-defined]
    metadata = Metadata(actor="proxy", by=f"agent {KEY}", correlation_id=KEY)
    parted, told = transcoder.encode_parts(DomainEvent("s", 1, marked, metadata, 5))
    header = parted.header
    again = transcoder.event(
        parted.type,
        header.type_version,
        header.session_id,
        header.exchange_id,
        parted.parts.data.decode(),
        parted.parts.sealed,
    )
    keys.close()
    assert again == told == msgspec.structs.replace(marked, model_sent="m-[redacted]", preview="p [redacted]")
    assert (header.by, header.correlation_id) == ("agent [redacted]", "[redacted]")
    assert KEY.encode() not in parted.parts.joined()


def test_a_rename_is_stored_sealed_and_without_the_key(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    sealer = Sealer(keys)
    sealer.ensure_keys({1})
    transcoder = EventTranscoder(sealer, ConfiguredSecrets([KEY]))
    event = SessionRenamed(session_id=1, from_=f"about {KEY}", to=f"{KEY}, more")
    _, told = transcoder.encode_parts(DomainEvent("s", 1, event, Metadata(actor="api"), 5))
    keys.close()
    assert told == SessionRenamed(session_id=1, from_="about [redacted]", to="[redacted], more")
