"""The requests of the last minute under one limit, and who of several clients may have the next place.

Every client may have what it asks for while that is not more than there is; else what there is is shared evenly, and
what a client does not ask for goes to the others (max-min fairness). So a client that floods cannot take the places of
one that comes now and then: what the other asked for during the last minute is kept for it.
"""

from collections import Counter, deque
from collections.abc import Hashable, Iterable

WINDOW_S = 60.0

Client = Hashable


def level(limit: int, demands: Iterable[int]) -> float:
    """The most that each of several may have of `limit`, when none gets more than it asks for."""
    waiting = sorted(demands)
    left, count = float(limit), len(waiting)
    for asked in waiting:
        if asked * count >= left:
            return left / count
        left -= asked
        count -= 1
    return float(limit)


class Window:
    """At most `limit` requests in any `span_s` seconds. `name` says whose: it may be shown. Times are seconds of a
    clock that never runs backwards."""

    def __init__(self, name: str, limit: int, span_s: float = WINDOW_S) -> None:
        self.name, self.limit, self.span_s = name, limit, span_s
        self._taken: deque[tuple[float, Client]] = deque()
        self._used: Counter[Client] = Counter()
        self._asked: dict[Client, deque[float]] = {}  # when, as many as could count

    def ask(self, client: Client, now: float) -> None:
        """The client wants a place, whether or not it gets one."""
        if client not in self._asked:
            self._asked[client] = deque(maxlen=self.limit)
        self._asked[client].append(now)

    def forget(self, client: Client) -> None:
        """Its last wish was of no consequence here: another limit refused it."""
        times = self._asked.get(client)
        if times:
            times.pop()
            if not times:
                del self._asked[client]

    def admits(self, client: Client, now: float) -> bool:
        """Whether there is a place for the client now."""
        self._expire(now)
        return len(self._taken) < self.limit and self._used[client] < self._level()

    def take(self, client: Client, now: float) -> None:
        self._taken.append((now, client))
        self._used[client] += 1

    def give_back(self, client: Client) -> None:
        """Its last place was not used."""
        for index in range(len(self._taken) - 1, -1, -1):
            if self._taken[index][1] == client:
                del self._taken[index]
                self._less(client)
                return

    def used(self, now: float) -> int:
        """Places that are taken."""
        self._expire(now)
        return len(self._taken)

    def opens_in(self, client: Client, now: float) -> float:
        """Seconds until the client gets a place, as things stand."""
        self._expire(now)
        opening = now - self.span_s
        too_many = len(self._taken) - self.limit
        if too_many >= 0:
            opening = self._taken[too_many][0]
        above = self._used[client] - self._level()
        if above >= 0:
            own = [taken for taken, whose in self._taken if whose == client]
            opening = max(opening, own[int(above)])
        return max(opening + self.span_s - now, 0.0)

    def next_change(self) -> float | None:
        """When a place is given up, or a wish forgotten; None while nothing is known of anybody."""
        firsts = [times[0] for times in self._asked.values()]
        firsts += [self._taken[0][0]] if self._taken else []
        return min(firsts) + self.span_s if firsts else None

    def _level(self) -> float:
        several = len(self._asked) > 1
        return level(self.limit, map(len, self._asked.values())) if several else float(self.limit)

    def _expire(self, now: float) -> None:
        past = now - self.span_s
        while self._taken and self._taken[0][0] <= past:
            self._less(self._taken.popleft()[1])
        for client, times in list(self._asked.items()):
            while times and times[0] <= past:
                times.popleft()
            if not times:
                del self._asked[client]

    def _less(self, client: Client) -> None:
        self._used[client] -= 1
        if not self._used[client]:
            del self._used[client]
