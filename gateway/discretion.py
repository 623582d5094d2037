"""What servers say of failures, without configured secrets: last words of a program, and errors that echo a key.

Texts are cleaned before anything cuts them, because half a key cannot be found any more. Results pass as they are, like
answers of models: what a tool read has to come as it stands there.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gateway.backend import Backend, Checked, Down, Invalid, Relayed
from gateway.tools import Caller, RpcError

_SHOWN = 300  # characters of what a look found wrong


class Redact(Protocol):
    """`error` also takes out what any address in a text holds of passwords and keys."""

    def __call__(self, text: str) -> str: ...

    def error(self, text: str) -> str: ...


class Discreet:
    """A server whose failures, errors and address can be shown, recorded and passed on."""

    def __init__(self, backend: Backend, redact: Redact) -> None:
        self.name, self.transport = backend.name, backend.transport
        self.address = redact.error(backend.address)
        self._backend, self._redact = backend, redact

    @property
    def resting(self) -> bool:
        return self._backend.resting

    async def identity(self) -> Mapping[str, Any]:
        return await self._backend.identity()

    def masks(self, tool: str) -> bool:
        return self._backend.masks(tool)

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        try:
            return await self._backend.request(method, params, caller)
        except RpcError as error:
            raise self._answered(error) from None
        except Down as error:
            raise type(error)(self._redact.error(str(error)), told=error.told) from None
        except Invalid as error:
            raise type(error)(self._redact.error(str(error))) from None

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None:
        await self._backend.notify(method, params, caller)

    async def check(self) -> Checked:
        found = await self._backend.check()
        error = self._redact.error(found.error)[:_SHOWN] if found.error is not None else None
        return Checked(connected=found.connected, tools=found.tools, error=error)

    async def aclose(self) -> None:
        await self._backend.aclose()

    def _answered(self, error: RpcError) -> RpcError | Invalid:
        try:
            if isinstance(error, Relayed):
                return Relayed(cleaned(error.raw, self._redact))
            message = self._redact(error.message)
            return RpcError(error.code, message, error.reason, **cleaned(error.data, self._redact))
        except RecursionError:
            return Invalid(f"{self.name} answered with an error that is nested too deep.")


def cleaned(value: Any, redact: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts cleaned. Raises RecursionError where it is nested very deep."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): cleaned(each, redact) for key, each in value.items()}
    if isinstance(value, list):
        return [cleaned(each, redact) for each in value]
    return value
