"""Contents that the log does not hold: erased, or never recorded."""

from api.errors import ApiError, as_api_error
from api.services import Services
from commands.workspace import family, session_gone
from proxy.contents import SessionContents


def contents_of(services: Services, session_id: int, *others: int | None) -> SessionContents:
    """Of a session, of all that became parts of it, and of others that its contents may lie in. For a thread."""
    every = (*family(services.handler.state, session_id), *(number for number in others if number is not None))
    return services.contents.of(*dict.fromkeys(every))


def erased_sessions(services: Services) -> frozenset[int]:
    """Those whose contents are gone, and will not come back."""
    return frozenset(number for number, since in services.handler.state.erased.items() if since is not None)


def not_there(services: Services, session_id: int) -> ApiError:
    """410, with the reason."""
    state = services.handler.state
    if session_id in state.erased:
        return as_api_error(session_gone(state, session_id))
    text = "The contents of this session were not recorded."
    return ApiError(410, "content_not_recorded", text, context={"session_id": session_id})
