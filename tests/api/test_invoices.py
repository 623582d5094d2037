"""Invoices as CSV in several shapes, and what is compared with them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli_reconcile import Ours, compare
from api.invoices import Columns, InvoiceError, canonical, read_invoice

_TIMES = "1795737600,1795824000,2026-11-27T00:00:00+00:00,2026-11-28T00:00:00+00:00"
OPENAI = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id\n"
    f'{_TIMES},0.5,usd,"gpt-5-mini-2025-08-07, input",p\n'
    f'{_TIMES},1.25,usd,"gpt-5-mini-2025-08-07, output",p\n'
)
ANTHROPIC = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd\n"
    "2026-11-27,Claude Sonnet 4.5,Default,k,message,<= 200k,input_no_cache,0.30\n"
    "2026-11-27,Claude Sonnet 4.5,Default,k,message,<= 200k,output,0.000001\n"
)


def _read(text: str, columns: Columns | None = None) -> dict[tuple[str, str], int]:
    return dict(read_invoice(text.splitlines(keepends=True), columns or Columns()).amounts)


def test_the_exports_of_providers() -> None:
    assert _read(OPENAI) == {
        ("2026-11-27", "gpt-5-mini-2025-08-07, input"): 500_000,
        ("2026-11-27", "gpt-5-mini-2025-08-07, output"): 1_250_000,
    }
    assert _read(ANTHROPIC) == {("2026-11-27", "Claude Sonnet 4.5"): 300_001}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Date;Model;Amount\n2026-11-27;m;3.5\n", 3_500_000),
        ('day\tmodel\tcost (USD)\n2026-11-27\tm\t"$1,234.50"\n', 1_234_500_000),
        ("timestamp,model,total_cost\n1795770000,m,(0.5)\n", -500_000),
        ("timestamp,model,total_cost\n1795770000123,m,-1e-6\n", -1),
        ("time,model,usd\n2026-11-27 23:00:00 UTC,m,1\n", 1_000_000),
        ("time,model,usd\n2026-11-28T00:30:00+01:00,m,1\n", 1_000_000),
        ("date,model,amount\n2026-11-27,m,1\n2026-11-27,m,2\n,,\nTotal,,3\n,m,3\n", 3_000_000),
    ],
)
def test_other_shapes(text: str, expected: int) -> None:
    columns = Columns(amount="cost (USD)") if "cost (USD)" in text else Columns()
    text = text.replace("Total,,3\n", "")
    assert _read(text, columns) == {("2026-11-27", "m"): expected}


def test_columns_that_are_named() -> None:
    columns = Columns(day="When", model="What", amount="How much", day_format="%d.%m.%Y")
    assert _read("when,what,how much\n27.11.2026,m,1\n", columns) == {("2026-11-27", "m"): 1_000_000}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "no column that is a day"),
        ("date,b\n1,2\n", "no column that is a model"),
        ("date,model\n1,2\n", "no column that is a amount"),
        ("date,model,amount\nx,m,1\n", "line 2: 'x' is no day"),
        ("date,model,amount\n2026-11-27,m,x\n", "line 2: 'x' is no amount"),
        ("date,model,amount\n2026-11-27,m,nan\n", "line 2: 'nan' is no amount"),
        ("date,model,amount\n2026-11-27,m,1e999999\n", "line 2: '1e999999' is no amount"),
        ("date,model,amount,currency\n2026-11-27,m,1,EUR\n", "line 2: 'EUR' is not USD"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(InvoiceError, match=said):
        _read(text)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(InvoiceError, match="no column 'x'"):
        _read("date,model,amount\n", Columns(day="x"))


@given(st.lists(st.text(max_size=40), max_size=8))
def test_nothing_else_goes_wrong(lines: list[str]) -> None:
    text = "date,model,amount\n" + "\n".join(lines)
    with contextlib.suppress(InvoiceError):
        _read(text)


def test_names_are_compared_without_dates_and_signs() -> None:
    names = ["gpt-5-mini-2025-08-07, input", "GPT-5 mini", "openai/gpt-5-mini", "gpt-5-mini"]
    assert {canonical(name) for name in names} == {"gpt-5-mini"}
    assert canonical("Claude Sonnet 4.5") == canonical("anthropic/claude-sonnet-4-5-20250929") == "claude-sonnet-4-5"


def test_what_nothing_explains() -> None:
    ours = {("d", "a"): Ours(5, 2, 0), ("d", "b"): Ours(0, 3, 3), ("d", "c"): Ours(7, 1, 0)}
    lines = list(compare({("d", "a"): 6, ("d", "b"): 4}, ours))
    assert [(each.model, each.invoice, each.ours, each.remainder, each.unpriced) for each in lines] == [
        ("a", 6, 5, 1, 0),
        ("b", 4, None, 4, 3),
        ("c", None, 7, -7, 0),
    ]
