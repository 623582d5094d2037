"""The tokens that each chain of a session holds, and the most of them."""

import msgspec


class Held(msgspec.Struct, frozen=True, array_like=True):
    """What a chain holds since its exchange `exchange_id`."""

    tokens: int
    exchange_id: int


class ChainTokens:
    """`by_chain` is what holds now; `changed` and `cleared` tell how it differs from what was written."""

    def __init__(self, by_chain: dict[int, Held]) -> None:
        self.by_chain = by_chain
        self.changed: set[int] = set()
        self.cleared = False
        self._most: int | None = None  # the chain that holds most

    def put(self, chain: int, tokens: int, exchange_id: int) -> None:
        before = self.by_chain.get(chain)
        self.by_chain[chain] = Held(tokens, exchange_id)
        self.changed.add(chain)
        if self._most == chain:
            if before is not None and tokens < before.tokens:
                self._most = None  # another may hold more now
        elif self._most is not None and (tokens, chain) > (self.by_chain[self._most].tokens, self._most):
            self._most = chain

    def leave(self, chain: int) -> None:
        """The conversation went another way: what the chain holds does not count until it goes on."""
        if self.by_chain.pop(chain, None) is not None:
            self.changed.add(chain)
            if self._most == chain:
                self._most = None

    def clear(self) -> None:
        """The client began anew."""
        self.by_chain.clear()
        self.changed.clear()
        self.cleared, self._most = True, None

    def longest(self) -> Held | None:
        """The most that any chain holds, of the latest of those; None without any."""
        if self._most is None and self.by_chain:
            self._most = max(self.by_chain, key=lambda chain: (self.by_chain[chain].tokens, chain))
        return self.by_chain[self._most] if self._most is not None else None

    def written(self) -> None:
        self.changed.clear()
        self.cleared = False
