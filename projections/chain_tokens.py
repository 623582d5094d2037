"""The tokens that each chain of a session holds, and the most of them."""


class ChainTokens:
    """`by_chain` is what holds now; `changed` and `cleared` tell how it differs from what was written."""

    def __init__(self, by_chain: dict[int, int]) -> None:
        self.by_chain = by_chain
        self.changed: set[int] = set()
        self.cleared = False
        self._most: tuple[int, int] | None = None  # the chain that holds most, and how much

    def put(self, chain: int, tokens: int) -> None:
        self.by_chain[chain] = tokens
        self.changed.add(chain)
        if self._most is not None and tokens >= self._most[1]:
            self._most = (chain, tokens)
        elif self._most is not None and chain == self._most[0]:
            self._most = None  # it holds less than before: another may hold most

    def clear(self) -> None:
        """The client began anew."""
        self.by_chain.clear()
        self.changed.clear()
        self.cleared, self._most = True, None

    def longest(self) -> int:
        """The most that any chain holds."""
        if self._most is None:
            self._most = max(((tokens, chain) for chain, tokens in self.by_chain.items()), default=(0, 0))[::-1]
        return self._most[1]

    def written(self) -> None:
        self.changed.clear()
        self.cleared = False
