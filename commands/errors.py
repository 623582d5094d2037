"""Why a command is refused.

CommandError
├── NotFoundError            there is no such thing (404)
├── ConflictError            not in this state (409)
│   └── StaleError           not in this state any more
├── GoneError                its contents are destroyed (410)
├── InvalidCommandError      a value that no state accepts (422)
└── UnavailableError         the log cannot take it now (503)
"""


class CommandError(Exception):
    """`code` is the machine-readable reason of the contract, `context` its further fields."""

    def __init__(self, code: str, message: str, **context: object) -> None:
        super().__init__(message)
        self.code, self.message, self.context = code, message, context


class NotFoundError(CommandError):
    pass


class ConflictError(CommandError):
    pass


class StaleError(ConflictError):
    """What the command was worked out from is not so any more: work it out again."""


class GoneError(CommandError):
    pass


class InvalidCommandError(CommandError):
    pass


class UnavailableError(CommandError):
    pass


def session_not_found(session_id: int, merged_into: int | None = None) -> NotFoundError:
    if merged_into is not None:
        text = f"Session {session_id} became a part of session {merged_into}."
        return NotFoundError("session_merged", text, session_id=session_id, merged_into=merged_into)
    return NotFoundError("session_not_found", f"There is no session {session_id}.", session_id=session_id)
