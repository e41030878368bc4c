"""What a column's answers come to: how many there are, and what they add up to, exactly and without a model. Pure.

The page shows it below the table, exports write it there, and a cell that is written from the table or the column is told it, so that
a summary can quote figures instead of guessing them. Sums are of decimal numbers as they are written: no float has touched them. The
page's twin is `web/src/lib/sums.ts`; both pass `schemas/vectors/sums.json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from schemas.answers import Number, answer_of, date_of, is_stated, number_of
from schemas.cells import cell_id, handed_on, is_asked
from schemas.document import Document
from schemas.values import Column, Section

MEAN_PLACES = 2
"""Decimal places that a mean has beyond those of its most exact number."""


class Sums(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """How far a column has come. What is asked is answered, not stated, in another form, or not there (yet)."""

    asked: int
    answered: int
    """Answers of the column's form."""
    not_stated: int
    other: int
    """Answers that are in no form that can be counted: 'about a dozen' is no number."""


class TextSums(Sums, frozen=True, kw_only=True, tag=True):
    """Of words there is nothing to add up."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of all numbers of one unit; decimal, written out."""

    unit: str = ""
    count: int
    sum: str
    mean: str
    """Rounded to `MEAN_PLACES` more places than its numbers have."""
    median: str
    min: str
    max: str


class NumberSums(Sums, frozen=True, kw_only=True, tag=True):
    """Numbers without a unit count to the only one that there is; of several units, each is summed up by itself."""

    figures: tuple[Figures, ...]


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How often an option was the answer."""

    option: str
    count: int


class OptionSums(Sums, frozen=True, kw_only=True, tag=True):
    """Every option, in the column's order."""

    counts: tuple[Count, ...]


class DateSums(Sums, frozen=True, kw_only=True, tag=True):
    """Empty where there is no date. One that is less exact may be the earliest by its first day, and the latest by its last."""

    earliest: str
    latest: str


ColumnSums = TextSums | NumberSums | OptionSums | DateSums


def sums_of(document: Document, section: Section, column: Column) -> ColumnSums:
    """What a column of this document comes to now."""
    rows = [row for row in document.sources if is_asked(column, row)]
    cells = (document.cells.get(cell_id(section.id, row, column.id)) for row in rows)
    return summed(column, [None if cell is None else handed_on(cell) for cell in cells])


def summed(column: Column, texts: Iterable[str | None]) -> ColumnSums:
    """`texts`: of its cells; None: there is none."""
    given = list(texts)
    answers = [answer_of(text) for text in given if text is not None]
    stated = [answer for answer in answers if is_stated(answer)]
    asked, not_stated = len(given), len(answers) - len(stated)

    def told(answered: int) -> dict[str, int]:
        return {"asked": asked, "answered": answered, "not_stated": not_stated, "other": len(stated) - answered}

    match column.format:
        case "text":
            return TextSums(**told(len(stated)))
        case "number":
            numbers = [number for answer in stated if (number := number_of(answer)) is not None]
            return NumberSums(**told(len(numbers)), figures=_figures(numbers))
        case "yes_no" | "one_of":
            options = ("yes", "no") if column.format == "yes_no" else column.options
            meant = {option.lower(): option for option in reversed(options)}  # Of two that differ in case, the first.
            said = Counter(answer if answer in options else meant.get(answer.lower()) for answer in stated)
            counts = tuple(Count(option=option, count=said[option]) for option in dict.fromkeys(options))
            return OptionSums(**told(sum(one.count for one in counts)), counts=counts)
        case "date":
            dates = [date for answer in stated if (date := date_of(answer)) is not None]
            earliest = min(dates, key=lambda date: (date + "-01-01")[:10], default="")
            latest = max(dates, key=lambda date: (date + "-12-31"[len(date) - 4 :])[:10], default="")
            return DateSums(**told(len(dates)), earliest=earliest, latest=latest)


def in_words(sums: ColumnSums) -> str:
    """One line, for a model and for files: figures first, then what is not in them."""
    match sums:
        case NumberSums(figures=figures):
            said = [_figures_in_words(one) for one in figures]
        case OptionSums(counts=counts):
            said = [", ".join(f"{one.option}: {one.count}" for one in counts)]
        case DateSums(earliest=earliest, latest=latest):
            said = [f"earliest {earliest}, latest {latest}"] if earliest else []
        case TextSums():
            said = []
    missing = sums.asked - sums.answered - sums.not_stated - sums.other
    said.append(f"{sums.answered} of {sums.asked} answered")
    said += [f"{sums.not_stated} not stated"] if sums.not_stated else []
    said += [f"{sums.other} in another form"] if sums.other else []
    said += [f"{missing} missing"] if missing else []
    return "; ".join(said)


def has_figures(section: Section) -> bool:
    """Whether there is more to say of a table than how far it has come."""
    return any(column.format != "text" for column in section.columns)


def _figures_in_words(one: Figures) -> str:
    figures = f"sum {one.sum}, mean {one.mean}, median {one.median}, smallest {one.min}, largest {one.max}"
    return f"{figures} ({one.unit})" if one.unit else figures


# -- Numbers --------------------------------------------------------------------------------------------------------------


def _figures(numbers: list[Number]) -> tuple[Figures, ...]:
    units = list(dict.fromkeys(number.unit.lower() for number in numbers))
    named = [unit for unit in units if unit]
    groups = [units] if len(named) <= 1 and units else [[unit] for unit in units]
    return tuple(_figures_of([number for number in numbers if number.unit.lower() in group]) for group in groups)


def _figures_of(numbers: list[Number]) -> Figures:
    scale = max(number.scale for number in numbers)
    values = sorted(number.mantissa * 10 ** (scale - number.scale) for number in numbers)
    count, half = len(values), len(values) // 2
    total = sum(values)
    middle = values[half] * 10 if count % 2 else (values[half - 1] + values[half]) * 5
    return Figures(
        unit=next((number.unit for number in numbers if number.unit), ""),
        count=count,
        sum=_written(total, scale),
        mean=_written(_divided(total * 10**MEAN_PLACES, count), scale + MEAN_PLACES),
        median=_written(middle, scale + 1),
        min=_written(values[0], scale),
        max=_written(values[-1], scale),
    )


def _divided(value: int, by: int) -> int:
    """Rounded to the nearest; a half away from nothing."""
    whole, rest = divmod(abs(value), by)
    return (whole + (rest * 2 >= by)) * (1 if value >= 0 else -1)


def _written(mantissa: int, scale: int) -> str:
    """As a decimal number, without zeros that say nothing."""
    digits = str(abs(mantissa)).rjust(scale + 1, "0")
    whole, places = digits[: len(digits) - scale], digits[len(digits) - scale :].rstrip("0")
    sign = "-" if mantissa < 0 else ""
    return f"{sign}{whole}.{places}" if places else f"{sign}{whole}"
