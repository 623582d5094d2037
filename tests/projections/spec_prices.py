"""What exchanges used and cost, as running totals."""

from projections.exchanges import EXCHANGES
from projections.timeline import TIMELINE
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from tests.projections.building import START_MS, completed, failed, measured, started
from tests.projections.spec import Spec

HOUR = START_MS // 3_600_000
BOOK = PriceBookAdopted(content=(PriceRow(model="echo", input=1_000_000, output=2_000_000),), hash="a" * 64)
DEARER = PriceBookAdopted(content=(PriceRow(model="echo", input=10_000_000, output=2_000_000),), hash="b" * 64)
_USAGE = measured(100, 20)
_TOTALS = (
    "SELECT k.session_id, k.source, t.position, t.completed, t.failed, t.input, t.output, t.cost, t.unpriced"
    " FROM usage_totals t JOIN usage_keys k ON k.id = t.key ORDER BY t.position, k.id"
)

SPECS = (
    Spec(
        title="a book is kept as it was adopted",
        projection=EXCHANGES,
        given=(BOOK,),
        select="SELECT * FROM price_books",
        rows=[(1, START_MS + 1_000, "a" * 64, '[{"model":"echo","input":1000000,"output":2000000}]')],
    ),
    Spec(
        title="what was priced anew is kept",
        projection=EXCHANGES,
        given=(BOOK, RepricedFrom(book="a" * 64, from_=1)),
        select="SELECT * FROM repricings",
        rows=[(2, START_MS + 2_000, 1, "a" * 64)],
    ),
    Spec(
        title="totals of an hour, a session, a model, a client and a kind of count",
        projection=EXCHANGES,
        given=(started(1, client_family="cline"), completed(1, usage=_USAGE)),
        select="SELECT * FROM usage_keys",
        rows=[(HOUR, 1, "demo", "echo", "cline", "measured", 1)],
    ),
    Spec(
        title="an exchange without a price counts as such, one of which nothing is known does not",
        projection=EXCHANGES,
        given=(started(1), started(2), completed(1, usage=_USAGE), failed(2)),
        select=_TOTALS,
        rows=[(1, "measured", 3, 1, 0, 100, 20, 0, 1), (1, "none", 4, 0, 1, 0, 0, 0, 0)],
    ),
    Spec(
        title="each exchange is priced by the book that held when it began",
        projection=EXCHANGES,
        given=(
            *(BOOK, started(1), completed(1, usage=_USAGE)),
            *(started(2), DEARER, completed(2, usage=_USAGE), started(3), completed(3, usage=_USAGE)),
        ),
        select=_TOTALS,
        rows=[
            (1, "measured", 3, 1, 0, 100, 20, 140, 0),
            (1, "measured", 6, 2, 0, 200, 40, 280, 0),
            (1, "measured", 8, 3, 0, 300, 60, 1_320, 0),
        ],
    ),
    Spec(
        title="history priced anew is one row for each total that it changes",
        projection=EXCHANGES,
        given=(
            *(started(1), completed(1, usage=_USAGE), started(2), completed(2, usage=_USAGE), started(3, 2)),
            *(BOOK, RepricedFrom(book="a" * 64, from_=2), completed(3, 2, usage=_USAGE)),
        ),
        select=_TOTALS,
        rows=[
            (1, "measured", 2, 1, 0, 100, 20, 0, 1),
            (1, "measured", 4, 2, 0, 200, 40, 0, 2),
            (1, "measured", 7, 2, 0, 200, 40, 140, 1),
            (2, "measured", 8, 1, 0, 100, 20, 140, 0),
        ],
    ),
    Spec(
        title="totals go where an exchange goes, and where a session goes",
        projection=EXCHANGES,
        given=(
            *(BOOK, started(1), completed(1, usage=_USAGE), started(2), completed(2, usage=_USAGE)),
            ExchangeReassigned(session_id=2, exchange_id=1, from_=1, to=2),
            SessionsMerged(session_id=2, target_id=2, source_ids=(1,), exchanges_moved=1),
        ),
        select=_TOTALS,
        rows=[
            (1, "measured", 3, 1, 0, 100, 20, 140, 0),
            (1, "measured", 5, 2, 0, 200, 40, 280, 0),
            (1, "measured", 6, 1, 0, 100, 20, 140, 0),
            (2, "measured", 6, 1, 0, 100, 20, 140, 0),
            (1, "measured", 7, 0, 0, 0, 0, 0, 0),
            (2, "measured", 7, 2, 0, 200, 40, 280, 0),
        ],
    ),
    Spec(
        title="books and what was priced anew have their lines",
        projection=TIMELINE,
        given=(BOOK, RepricedFrom(book="a" * 64, from_=1)),
        select="SELECT summary FROM timeline",
        rows=[
            ("price book aaaaaaaaaaaa adopted: 1 prices",),
            ("exchanges from event 1 on priced by book aaaaaaaaaaaa",),
        ],
    ),
)
