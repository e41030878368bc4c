"""Medians, percentiles and tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def median(values: Iterable[float]) -> float:
    """The median; not a number where there are no values."""
    found = list(values)
    return statistics.median(found) if found else float("nan")


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0 to 1) of all values are, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(round(share * (len(ordered) - 1)), len(ordered) - 1)] if ordered else float("nan")


def spread(values: Sequence[float], digits: int = 1) -> str:
    """`median (smallest to largest)`, by which the noise of a run can be judged."""
    if not values:
        return "none"
    middle, least, most = (f"{value:.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle} ({least} to {most})"


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> None:
    """Print a table that is Markdown as well."""
    shown = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *shown]) for column in range(len(head))]
    print(f"\n{title}\n")
    print(_line(head, widths))
    print(f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    for row in shown:
        print(_line(row, widths))
    if note:
        print(f"\n{note}")
    print(flush=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
