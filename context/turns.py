"""Which messages of a conversation belong together: an assistant's message and the results of its calls.

Anything may stand in the messages; what has no partner stands for itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

RESULTS = ("tool", "function")


class Turns(msgspec.Struct, frozen=True):
    """`owner` gives for each message the assistant message that it belongs to: its own index for an assistant's, None
    for what belongs to none."""

    owner: tuple[int | None, ...]

    def legal_cut(self, cut: int, roles: Sequence[str]) -> int:
        """The last place up to `cut` where the conversation may be cut: no call is parted from its result, and what
        follows does not begin with a result."""
        while cut > 0:
            parted = [owner for owner in self.owner[cut:] if owner is not None and owner < cut]
            if parted:
                cut = min(parted)
            elif cut < len(roles) and roles[cut] in RESULTS:
                cut -= 1
            else:
                break
        return cut


def role_of(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    return role if isinstance(role, str) else ""


def turns(messages: Sequence[Mapping[str, Any]]) -> Turns:
    """A result belongs to the last call before it that has its id; a `function` message to the last function_call."""
    owner: list[int | None] = []
    calls: dict[str, int] = {}
    function: int | None = None
    for index, message in enumerate(messages):
        role = role_of(message)
        if role == "assistant":
            owner.append(index)
            for call in call_list(message):
                calls[str(call.get("id"))] = index
            if isinstance(message.get("function_call"), dict):
                function = index
        elif role == "tool":
            owner.append(calls.get(str(message.get("tool_call_id"))))
        elif role == "function":
            owner.append(function)
        else:
            owner.append(None)
    return Turns(tuple(owner))


def call_list(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    calls = message.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
