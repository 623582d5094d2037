"""How much alike two texts are, letter by letter."""

_LONGEST = 2_000  # characters


def levenshtein(one: str, other: str) -> float:
    """1 less the share of the longer text's letters that would have to change; of their first 2,000 letters."""
    one, other = one[:_LONGEST], other[:_LONGEST]
    longest = max(len(one), len(other))
    return 1 - distance(one, other) / longest if longest else 1.0


def distance(one: str, other: str) -> int:
    """Letters to put in, take out or change; all of a column at once, as the bits of one integer (Myers, Hyyrö)."""
    if not one:
        return len(other)
    places: dict[str, int] = {}
    for index, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << index
    mask, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    more, less, found = mask, 0, len(one)
    for letter in other:
        equal = places.get(letter, 0)
        across = (((equal & more) + more) ^ more) | equal
        up, down = less | ~(across | more), more & across
        found += bool(up & last) - bool(down & last)
        up, down = up << 1 | 1, down << 1
        more, less = (down | ~(equal | less | up)) & mask, up & (equal | less) & mask
    return found
