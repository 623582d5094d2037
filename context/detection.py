"""Statements that are worth remembering, found in what a person wrote. No model: rules over sentences, in English and
French. Rather too few than wrong ones: a memory that nobody meant is worse than one that is missing.

Only short texts count (what is longer was pasted or made by a client), without code, quotes, and what clients put into
messages as `<tag>…</tag>`. Questions are no statements, and what looks like a secret is never one.
"""

import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from context.detection_rules import RULES, SECRET, Kind

MOST_TEXT = 4_000  # characters of a text that a person typed, once code and tags are out
MOST_FOUND = 5  # of one text
_MOST_READ = 32_000
_LEAST, _MOST = 10, 400  # characters of a sentence

_OF_PERSONS = frozenset({"task", "feedback", "user_message", "user_query", "answer", "message", "prompt"})
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]{0,40})(?:\s[^<>]{0,200})?>")
_RESULT = re.compile(r"\[[\w-]{1,60}(?: for [^\n]{0,400})?\] Result:")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_NOT_PROSE = re.compile(r"[>|#$@]|[-+]{3}|(?:File|Traceback|import|from|def|class|const|let|var|return|SELECT)\b")
_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s+")
_NO_STATEMENT = ("?", "?)", '?"', ":", ";", "{", ",")
_GOES_ON = re.compile(  # the last word of a line
    r"(?:^|\s)(?:that|the|a|an|and|or|my|our|your|is|are|we|i|remember|forget|in mind|note|fyi|reference|que|le|la|les"
    r"|un|une|et|ou|est|retiens|souviens-toi|rappelle-toi)$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'(A-ZÀ-Ý0-9])")


class Statement(msgspec.Struct, frozen=True):
    """`text` as it was written, one sentence."""

    kind: Kind
    text: str


def statements(text: str) -> list[Statement]:
    """What `text`, one that a user sent, says for later: at most five, in its order, each once."""
    if _RESULT.match(text.lstrip()[:600]):
        return []  # what a tool said, put into the user's mouth by the client
    prose = _prose(_by_persons(text[:_MOST_READ]))
    if sum(map(len, prose)) > MOST_TEXT or len(text) > _MOST_READ:
        return []
    found: dict[str, Statement] = {}
    for sentence in _sentences(prose):
        kind = _kind(sentence)
        if kind is not None:
            found.setdefault(sentence, Statement(kind, sentence))
    return list(found.values())[:MOST_FOUND]


def _by_persons(text: str) -> str:
    """Without what stands between tags, but for those around what a person wrote. A tag that is not closed is text."""
    tags = list(_TAG.finditer(text))
    closing = Counter(tag[2] for tag in tags if tag[1])
    kept: list[str] = []
    within: list[str] = []  # open tags whose content is left out
    begin = 0
    for tag in tags:
        name = tag[2]
        closes = bool(tag[1])
        closing[name] -= closes
        if name in _OF_PERSONS or (not closes and not closing[name]) or (closes and name not in within):
            if name in _OF_PERSONS and not within:
                kept += [text[begin : tag.start()], "\n"]
                begin = tag.end()
            continue
        if not within:
            kept += [text[begin : tag.start()], "\n"]
        if closes:
            del within[len(within) - 1 - within[::-1].index(name) :]
        else:
            within.append(name)
        begin = tag.end()
    return "".join(kept) + ("" if within else text[begin:])


def _prose(text: str) -> list[str]:
    """Its lines without code, quotes and the like."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "\t")):
            lines.append(line.strip())
    return lines


def _sentences(lines: list[str]) -> Iterator[str]:
    """A line that ends before its sentence does goes on in the next one."""
    begun = ""
    for line in lines:
        bullet = _BULLET.match(line)
        bare = line[bullet.end() :] if bullet else line
        if not bare or bullet or _NOT_PROSE.match(bare):
            begun = ""
        if not bare or _NOT_PROSE.match(bare):
            continue
        *parts, last = _SENTENCE.split(f"{begun} {bare}" if begun else bare)
        begun = last if _GOES_ON.search(last) else ""
        for part in parts if begun else (*parts, last):
            sentence = " ".join(part.split())
            if _LEAST <= len(sentence) <= _MOST:
                yield sentence


def _kind(sentence: str) -> Kind | None:
    if sentence.endswith(_NO_STATEMENT) or SECRET.search(sentence):
        return None
    plain = sentence.replace("\u2019", "'")
    return next((kind for kind, rule in RULES.items() if rule.search(plain)), None)
