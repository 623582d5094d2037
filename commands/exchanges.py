"""One exchange: begun once, finished once. The facts come in whole with the command; what is decided is whether they
may be recorded at all."""

from typing import Literal, assert_never

import msgspec

from commands.errors import ConflictError
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
)
from schema.registry import Event

State = Literal["not_begun", "running", "finished"]
Ending = ExchangeCompleted | ExchangeFailed | ExchangeCancelled | ExchangeInterrupted


class BeginExchange(msgspec.Struct, frozen=True):
    facts: ExchangeStarted


class FinishExchange(msgspec.Struct, frozen=True):
    """Complete, fail, cancel or interrupt it: `facts` says which."""

    facts: Ending


Command = BeginExchange | FinishExchange


def stream(exchange_id: int) -> str:
    return f"exchange-{exchange_id}"


def initial_state() -> State:
    return "not_begun"


def evolve(state: State, event: Event) -> State:
    match event:
        case ExchangeStarted():
            return "running"
        case Finished():
            return "finished"
        case _:
            return state


def decide(state: State, command: Command) -> list[Event]:
    """Raises ConflictError for a second beginning, a second end, or an end without a beginning."""
    match command:
        case BeginExchange(facts):
            if state != "not_begun":
                raise ConflictError("exchange_begun", f"Exchange {facts.exchange_id} has begun already.")
            return [facts]
        case FinishExchange(facts):
            if state != "running":
                raise ConflictError("exchange_not_running", f"Exchange {facts.exchange_id} is {state}.")
            return [facts]
        case _:
            assert_never(command)
