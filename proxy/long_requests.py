"""What is long is looked at in pieces, so that other requests are answered in between: very many messages a hundred at
a time on the event loop, very long texts in a thread, where no single step takes long.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from proxy.facts import MOST_AT_ONCE, FactsCache, RequestFacts
from schema.recorded import Body

_PIECE = 100  # messages
_PIECE_BYTES = 16 << 10  # of messages that are not known yet


async def facts_in_pieces(cache: FactsCache, messages: Sequence[msgspec.Raw]) -> RequestFacts:
    """What `cache.of_long_request` gives, and the bodies of very many messages."""
    if not messages[MOST_AT_ONCE:]:
        return await asyncio.to_thread(cache.of_long_request, messages)
    pieces: list[RequestFacts] = []
    bodies: dict[bytes, Body] = {}
    for start in range(0, len(messages), _PIECE):
        piece = messages[start : start + _PIECE]
        facts = cache.of_request(piece, _PIECE_BYTES)
        if facts is None:
            facts = await asyncio.to_thread(cache.of_long_request, piece)
        for raw, each in zip(piece, facts.each, strict=True):
            if each.ref not in bodies:
                bodies[each.ref] = Body(each.ref.hex(), bytes(raw))
        pieces.append(facts)
        await asyncio.sleep(0)
    return cache.joined(pieces, bodies)
