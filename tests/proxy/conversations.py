"""Message lists for tests of session recognition, and their facts as the proxy works them out."""

import json

import msgspec

from proxy.facts import FactsCache, RequestFacts

SEED = 7


def message(role: str, text: str, **more: object) -> bytes:
    return json.dumps({"role": role, "content": text, **more}).encode()


def system(text: str = "You are an agent.") -> bytes:
    return message("system", text)


def user(text: str) -> bytes:
    return message("user", text)


def assistant(text: str) -> bytes:
    return message("assistant", text)


def cache() -> FactsCache:
    return FactsCache(SEED, len, lambda text: text)


def facts(*messages: bytes, of: FactsCache | None = None) -> RequestFacts:
    return (of or cache()).of_long_request([msgspec.Raw(each) for each in messages])
