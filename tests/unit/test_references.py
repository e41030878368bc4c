"""The numbers of citations, as both twins count them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import schemas.vectors
from schemas.references import Quoted, references
from schemas.values import Section
from tests.unit.papers import document, source

VECTORS = Path(schemas.vectors.__file__).with_name("references.json")


class Vector(msgspec.Struct):
    name: str
    outline: tuple[Section, ...]
    sources: list[str]
    texts: list[tuple[str, str]]
    numbers: list[tuple[str, int]]


@pytest.mark.parametrize(
    "vector", msgspec.json.decode(VECTORS.read_bytes(), type=list[Vector]), ids=lambda vector: vector.name
)
def test_citations_are_numbered_in_reading_order(vector: Vector) -> None:
    paper = document(vector.outline, dict(vector.texts), tuple(source(id_) for id_ in vector.sources))
    found = references(paper)
    assert [(one.source, one.passage) for one in found] == vector.numbers
    assert [one.number for one in found] == [*range(1, len(found) + 1)]


def test_a_passage_has_one_number_and_all_that_was_quoted_of_it() -> None:
    text = 'A [[s1:2 "ora et labora"]] b [[s1:2 "lost words"]] c [[s1:2]] d [[s1:2 "ora et labora"]].'
    (found,) = references(document((Section(id="a", heading="A"),), {"a": text}))
    assert found.quotes == (Quoted(text="ora et labora"), Quoted(text="lost words", verified=False))
