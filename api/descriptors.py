"""How many files, connections among them, the process may have open."""

import sys

if sys.platform != "win32":
    import resource

_ENOUGH = (65_536, 10_240)  # macOS names no limit and takes no more than the second


def raise_limit() -> None:
    """As high as the system lets us go by ourselves; where it does not, everything stays as it is."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for enough in _ENOUGH:
        wanted = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return
        except (ValueError, OSError):
            continue


def limit() -> int | None:
    """None where there is none, or the system has no such notion."""
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
