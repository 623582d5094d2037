"""Adopting price books, and pricing history anew."""

from commands.errors import ConflictError, NotFoundError
from commands.prices import AdoptPriceBook, Reprice, decide
from commands.workspace import evolve, initial_state
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from tests.spec import Decider

given = Decider(initial_state, evolve, decide).given
ROWS = (PriceRow(model="m", input=1_000_000),)
ADOPTED = PriceBookAdopted(content=ROWS, hash="a")
OTHER = PriceBookAdopted(content=(), hash="b")


def test_a_book_is_adopted_when_it_differs_from_the_last() -> None:
    given().when(AdoptPriceBook(ROWS, "a")).then(ADOPTED)
    given(ADOPTED).when(AdoptPriceBook(ROWS, "a")).then_nothing()
    given(ADOPTED).when(AdoptPriceBook((), "b")).then(OTHER)
    given(ADOPTED, OTHER).when(AdoptPriceBook(ROWS, "a")).then(ADOPTED)


def test_no_prices_are_no_event_where_there_never_were_any() -> None:
    given().when(AdoptPriceBook((), "b")).then_nothing()


def test_history_is_priced_by_the_book_in_force_or_by_an_earlier_one() -> None:
    given(ADOPTED).when(Reprice(7)).then(RepricedFrom(book="a", from_=7))
    given(ADOPTED, OTHER).when(Reprice(1)).then(RepricedFrom(book="b", from_=1))
    given(ADOPTED, OTHER).when(Reprice(1, "a")).then(RepricedFrom(book="a", from_=1))


def test_what_is_priced_so_already_is_not_priced_again() -> None:
    done = RepricedFrom(book="a", from_=7)
    given(ADOPTED, done).when(Reprice(7)).then_nothing()
    given(ADOPTED, done).when(Reprice(6)).then(RepricedFrom(book="a", from_=6))
    given(ADOPTED, done, OTHER).when(Reprice(7, "a")).then(done)
    given(ADOPTED, done).when(Reprice(8)).then_nothing()
    given(ADOPTED, done, OTHER, ADOPTED).when(Reprice(7)).then(done)  # what began in between has the other's prices


def test_after_the_last_event_there_is_nothing_to_price() -> None:
    given(ADOPTED).when(Reprice(7, head=6)).then_nothing()
    given(ADOPTED).when(Reprice(7, head=7)).then(RepricedFrom(book="a", from_=7))
    given().when(Reprice(7, head=6)).then_rejected(ConflictError, "no_price_book")


def test_there_must_be_such_a_book() -> None:
    given().when(Reprice()).then_rejected(ConflictError, "no_price_book")
    given(ADOPTED).when(Reprice(1, "x")).then_rejected(NotFoundError, "price_book_not_found", book="x")
