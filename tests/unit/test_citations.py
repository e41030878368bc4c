"""Citation markers, by the cases that the page's twin passes too."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.citations import MARKER, cited, visible
from schemas.values import Citation

VECTORS = Path(__file__).parents[2] / "schemas" / "vectors" / "citations.json"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    text: str
    visible: str
    citations: tuple[Citation, ...]


class Vectors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    about: str
    passages: dict[str, dict[str, str]]
    """By source, then by number."""
    cases: tuple[Case, ...]


RECORDED = msgspec.json.decode(VECTORS.read_bytes(), type=Vectors)


def passage(source: str, number: int) -> str | None:
    return RECORDED.passages.get(source, {}).get(str(number))


@pytest.mark.parametrize("case", RECORDED.cases, ids=lambda case: case.name)
def test_markers_are_found_and_checked_as_recorded(case: Case) -> None:
    assert cited(case.text, passage) == case.citations
    assert visible(case.text) == case.visible


@given(st.sampled_from(['[[s1:12 "exact words"]]', "[[a_b-c:7 ]]", '[[s1:1\n"x" ]]']), st.data())
def test_a_marker_is_never_seen_half_written(marker: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(marker) - 1))
    assert visible(f"Some words. {marker[:cut]}") == "Some words. "
    assert visible(f"Some words. {marker}") == f"Some words. {marker}"


@given(st.text(alphabet='[]s1:" a', max_size=30))
def test_what_is_hidden_is_at_the_end_and_no_marker(text: str) -> None:
    shown = visible(text)
    assert text.startswith(shown)
    assert not MARKER.search(text[len(shown) :])
    assert cited(shown, passage) == cited(text, passage)
