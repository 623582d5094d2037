"""The printed table: medians and minima over the rounds, and ratios within the run."""

from collections.abc import Sequence
from statistics import median

from benchmarks.contenders import NAIVE, NGINX, OURS, PLAIN
from benchmarks.measure import DIRECT, Results
from benchmarks.processes import Process
from benchmarks.scenarios import FIGURES, Figure


def report(results: Results, processes: Sequence[Process]) -> list[str]:
    """The lines to print, as a Markdown table that docs/performance.md can take over."""
    names = [process.name for process in processes if process.name != PLAIN]
    others = [name for name in (NGINX, NAIVE) if name in names]
    heads = ["CPU us, median (min)", *names, *(f"x {name}" for name in others), "goal"]
    lines = ["| " + " | ".join(heads) + " |", "|--" * len(heads) + "|"]
    for figure in FIGURES:
        lines.append(_row(_cells(figure, results, names, others)))
        if figure.plain:
            lines.append(_row(_cells(figure, results, names, others, reduced=False)))
    lines += ["", *_table_of_times(results, names), "", "Peak RSS: " + _memory(processes)]
    return lines


def _cells(figure: Figure, results: Results, names: list[str], others: list[str], *, reduced: bool = True) -> list[str]:
    """Beside the others stands our cost, or that without reduction."""
    values = {name: costs(figure, results, PLAIN if name == OURS and not reduced else name) for name in names}
    shown = [f"{median(values[name]):,.1f} ({min(values[name]):,.1f})" for name in names]
    ratios = [_ratio(median(values[OURS]), median(values[name])) for name in others]
    if reduced:
        return [figure.title, *shown, *ratios, figure.goal]
    return [f"{figure.title}, reduction off", *shown, *ratios, figure.plain]


def costs(figure: Figure, results: Results, name: str) -> list[float]:
    """CPU us of each round. A chunk's cost is a slope: two streams of different lengths, per chunk of difference."""
    whole = [block.cpu_us for block in results.of(name, figure.key)]
    if figure.base is None:
        return whole
    bases = [block.cpu_us for block in results.of(name, figure.base)]
    return [(long - short) / figure.chunks for long, short in zip(whole, bases, strict=True)]


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.1f}" if theirs > 0 else "-"


def _table_of_times(results: Results, names: list[str]) -> list[str]:
    """What a request takes longer than without a proxy, and requests per second on one core."""
    rows = (
        ("added p50, small, 1 connection, ms", [_added(results, name, "small_c1", "total_ms") for name in names]),
        (
            "added time to first chunk, agent, 4, ms",
            [_added(results, name, "agent_stream", "first_ms") for name in names],
        ),
        ("requests per second, small, 16", [_best_rate(results, name) for name in names]),
        ("goals", ["<= 0.4 ms, <= 1 ms, >= 5,000/s", *("" for _ in names[1:])]),
    )
    return [_row(["", *names]), "|--" * (len(names) + 1) + "|", *(_row([title, *cells]) for title, cells in rows)]


def _added(results: Results, name: str, key: str, field: str) -> str:
    through = median(getattr(block, field) for block in results.of(name, key))
    direct = median(getattr(block, field) for block in results.of(DIRECT, key))
    return f"{through - direct:.2f}"


def _best_rate(results: Results, name: str) -> str:
    rates = [block.per_second for block in results.of(name, "small_c16")]
    return f"{median(rates):,.0f} (best {max(rates):,.0f})"


def _memory(processes: Sequence[Process]) -> str:
    return ", ".join(f"{process.name} {process.peak_mib():.0f} MiB" for process in processes) + "; goal <= 120 MB"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
