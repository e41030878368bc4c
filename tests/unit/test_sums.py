"""What a column's answers come to: as both twins count it, and exactly."""

from __future__ import annotations

from calendar import month_name
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import mean, median
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import schemas.vectors
from schemas.answers import date_of, number_of
from schemas.document import Failed
from schemas.sums import ColumnSums, NumberSums, in_words, summed, sums_of
from schemas.values import Column, Section
from tests.unit.papers import completed, document, source

VECTORS = Path(schemas.vectors.__file__).with_name("sums.json")
NUMBERS = Column(id="n", heading="How many", format="number")


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    format: Literal["text", "number", "yes_no", "date", "one_of"]
    options: tuple[str, ...]
    texts: list[str | None]
    sums: ColumnSums


@pytest.mark.parametrize(
    "vector", msgspec.json.decode(VECTORS.read_bytes(), type=list[Vector]), ids=lambda vector: vector.name
)
def test_a_column_is_summed_up_as_recorded(vector: Vector) -> None:
    column = Column(id="q", heading="Q", format=vector.format, options=vector.options)
    assert summed(column, vector.texts) == vector.sums


decimals = st.decimals(min_value=-(10**12), max_value=10**12, places=4, allow_nan=False)


@given(st.lists(decimals, min_size=1, max_size=30))
def test_sums_are_exact_whatever_their_order_and_size(numbers: list[Decimal]) -> None:
    sums = summed(NUMBERS, [f'{number:f} [[s1:1 "words"]]' for number in numbers])
    assert isinstance(sums, NumberSums)
    (figures,) = sums.figures
    exact = [Fraction(number) for number in numbers]
    assert (Fraction(figures.sum), Fraction(figures.min), Fraction(figures.max)) == (sum(exact), min(exact), max(exact))
    assert Fraction(figures.median) == median(exact)
    assert abs(Fraction(figures.mean) - mean(exact)) <= Fraction(1, 2 * 10**6)
    assert summed(NUMBERS, [f"{number:f}" for number in reversed(numbers)]) == sums


@given(decimals, st.sampled_from(["", " %", "%", " kg", " kg CO2", " m2"]), st.sampled_from([",", " ", "'"]))
def test_a_number_is_read_however_its_thousands_are_set(number: Decimal, unit: str, sign: str) -> None:
    found = number_of(f"{number:,.4f}".replace(",", sign) + unit)
    assert found is not None
    assert Fraction(found.mantissa, 10**found.scale) == Fraction(number)
    assert found.unit == unit.strip()


@given(st.dates())
def test_a_date_is_read_in_each_of_its_forms(date: object) -> None:
    iso = str(date)
    year, month, day = iso.split("-")
    name = month_name[int(month)]
    for written in (
        iso,
        f"{int(day)} {name} {year}",
        f"{name} {int(day)}, {year}",
        f"{day}. {name[:3].upper()} {year}",
    ):
        assert date_of(written) == iso
    assert date_of(f"{name} {year}") == f"{year}-{month}"


def test_what_failed_is_missing_and_what_is_locked_counts() -> None:
    table = Section(id="t", heading="T", columns=(NUMBERS,))
    rows = tuple(source(f"s{n}") for n in (1, 2, 3, 4))
    paper = document((table,), {"t:s1:n": "1 [[s1:1]]", "t:s2:n": "2"}, rows)
    failed = completed("t:s3:n", "4", Failed(at_ms=1, kind="stalled", message="It fell silent."))
    paper = replace(paper, cells={**paper.cells, "t:s3:n": failed})
    assert in_words(sums_of(paper, table, NUMBERS)) == (
        "sum 3, mean 1.5, median 1.5, smallest 1, largest 2; 2 of 4 answered; 2 missing"
    )
    paper = replace(paper, cells={**paper.cells, "t:s3:n": replace(failed, locked=True)})
    assert in_words(sums_of(paper, table, NUMBERS)).startswith("sum 7,")
    tried = replace(NUMBERS, sample=("s1",))
    assert in_words(sums_of(paper, table, tried)) == "sum 1, mean 1, median 1, smallest 1, largest 1; 1 of 1 answered"
