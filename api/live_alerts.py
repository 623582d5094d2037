"""How full a context is, in words (Alert and AutoAlert of contract 2). Pure."""

from typing import TypedDict

_ALERTS = ((95.0, "critical", "#ef4444"), (90.0, "warning", "#f97316"), (80.0, "caution", "#eab308"))
_AUTO = (
    (95.0, "critical", "compact_now"),
    (80.0, "warning", "prepare_compact"),
    (70.0, "info", "monitor"),
)


class Alert(TypedDict):
    level: str
    color: str
    message: str


class AutoAlert(TypedDict):
    level: str
    message: str
    percentage: float
    tokens: int
    max_context: int
    action_recommended: str


def alert(percentage: float) -> Alert | None:
    """None below 80 %."""
    for least, level, color in _ALERTS:
        if percentage >= least:
            return Alert(level=level, color=color, message=f"The context is {percentage:.1f} % full.")
    return None


def auto_alert(tokens: int, max_context: int) -> AutoAlert | None:
    """None below 70 %."""
    percentage = _percentage(tokens, max_context)
    for least, level, action in _AUTO:
        if percentage >= least:
            return AutoAlert(
                level=level,
                message=f"{tokens:,} of {max_context:,} tokens are in use ({percentage:.1f} %).",
                percentage=percentage,
                tokens=tokens,
                max_context=max_context,
                action_recommended=action,
            )
    return None


def level_rises(before: int, after: int, max_context: int) -> bool:
    """Whether the level of `auto_alert` is higher at `after` tokens than at `before`."""
    return _level(after, max_context) > _level(before, max_context)


def _level(tokens: int, max_context: int) -> int:
    percentage = _percentage(tokens, max_context)
    return sum(percentage >= least for least, _, _ in _AUTO)


def _percentage(tokens: int, max_context: int) -> float:
    return round(100 * tokens / max_context, 2) if max_context else 0.0
