"""The words of a text as the index of memories has them: split, folded and stemmed by SQLite itself, so that what is
worked out about a text and what is found in the index never differ."""

import sqlite3
import threading
from collections.abc import Sequence

TOKENIZER = "porter unicode61"


class Words:
    """An index in memory that holds one text at a time. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = '{TOKENIZER}')")
        self._db.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, 'row')")
        self._db.execute("CREATE VIRTUAL TABLE places USING fts5vocab(texts, 'instance')")

    def counts(self, text: str) -> dict[str, int]:
        """How often each stemmed word occurs."""
        with self._lock:
            self._hold((text,))
            return dict(self._db.execute("SELECT term, cnt FROM words"))

    def stems(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """Each word's stem; several where the index splits it, none where it holds nothing that is indexed."""
        with self._lock:
            self._hold(words)
            found: list[list[str]] = [[] for _ in words]
            for number, term in self._db.execute("SELECT doc, term FROM places ORDER BY doc, offset"):
                found[number - 1].append(term)
            return [tuple(terms) for terms in found]

    def close(self) -> None:
        self._db.close()

    def _hold(self, texts: Sequence[str]) -> None:
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM texts")
        self._db.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", enumerate(texts, 1))
        self._db.execute("COMMIT")

    def __del__(self) -> None:
        self._db.close()
