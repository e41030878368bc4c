"""Cuts an extracted text into passages: exact, in order, without overlap, and with nothing but white space between. Pure.

A passage holds whole paragraphs where they are short and whole sentences where they are long, never text of two headings or
two pages. Its size is a compromise: long enough that a model understands it, short enough that a reader finds the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from schemas.passages import Passage

CHARACTERS_MIN = 400
"""A passage below this takes in the next paragraph, if there is one under the same heading."""
CHARACTERS_WANTED = 800
CHARACTERS_MAX = 1_200
UNIT_CHARACTERS_MAX = 1_000
"""Of one piece of a paragraph, so that a short heading still fits in with it."""
PASSAGES_MAX = 20_000

Kind = Literal["heading", "prose", "lines"]

SENTENCE_END = re.compile(r"(?:[.!?…][\"'”’»)\]*_]*(?=\s+[^\sa-z])|[。！？]|\n[^\S\n]*(?=\n))\s*")  # noqa: RUF001 -- full-width stops
LINE_END = re.compile(r"(?:\r\n|\n|\r)\s*")
SPACE = re.compile(r"\s+")


class Block(NamedTuple):
    """A stretch of text that belongs together: `text[start:end]`."""

    start: int
    end: int
    kind: Kind = "prose"
    """`prose` is cut at sentences, `lines` (code, tables) at line ends, a `heading` begins a passage."""
    title: str = ""
    """A heading's words, without markup."""
    page: int | None = None


class TooManyPassagesError(ValueError):
    """A text of more than PASSAGES_MAX passages."""


def cut(text: str, blocks: Iterable[Block]) -> tuple[Passage, ...]:
    """The passages of a text. `blocks` come in order and do not overlap; what they leave out counts as prose.

    Raises TooManyPassagesError.
    """
    passages: list[Passage] = []
    heading = ""
    group: list[Block] = []

    def flush() -> None:
        if not group:
            return
        start, end = group[0].start, group[-1].end
        number = len(passages) + 1
        if number > PASSAGES_MAX:
            msg = f"more than {PASSAGES_MAX} passages"
            raise TooManyPassagesError(msg)
        passages.append(
            Passage(number=number, start=start, end=end, text=text[start:end], page=group[0].page, heading=heading)
        )
        group.clear()

    for unit in _units(text, _filled(text, blocks)):
        if group and not _joins(group, unit):
            flush()
        group.append(unit)
        if unit.kind == "heading" and unit.title:
            heading = unit.title
    flush()
    return tuple(passages)


def _joins(group: list[Block], unit: Block) -> bool:
    """Whether a unit goes into the passage that is being gathered."""
    start, end = group[0].start, group[-1].end
    together = unit.end - start
    if unit.page != group[0].page or together > CHARACTERS_MAX:
        return False
    if unit.kind == "heading":
        return all(before.kind == "heading" for before in group)
    return together <= CHARACTERS_WANTED or end - start < CHARACTERS_MIN


def _filled(text: str, blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks, and between them as prose what they leave out; none of them blank."""
    at = 0
    page: int | None = None
    for block in blocks:
        start = max(block.start, at)
        yield Block(at, start, page=page)
        yield block._replace(start=start)
        at, page = max(block.end, at), block.page
    yield Block(at, len(text), page=page)


def _units(text: str, blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks without white space around them, cut to pieces where they are too long."""
    for block in blocks:
        trimmed = _trimmed(text, block.start, block.end)
        if trimmed is None:
            continue
        if trimmed[1] - trimmed[0] <= UNIT_CHARACTERS_MAX:
            yield block._replace(start=trimmed[0], end=trimmed[1])
            continue
        for number, (start, end) in enumerate(_pieces(text, *trimmed, block.kind)):
            # Only the first piece of an endless heading begins a passage.
            kind = "prose" if block.kind == "heading" and number else block.kind
            yield block._replace(start=start, end=end, kind=kind)


def _pieces(text: str, start: int, end: int, kind: Kind) -> Iterator[tuple[int, int]]:
    """Cut a stretch at its best places: ends of sentences or lines, else white space, else anywhere."""
    places = LINE_END if kind == "lines" else SENTENCE_END
    ends = [match.end() for match in places.finditer(text, start, end)]
    for from_, to in _between(start, end, ends):
        if to - from_ <= UNIT_CHARACTERS_MAX:
            yield from _solid(text, from_, to)
            continue
        words = [match.end() for match in SPACE.finditer(text, from_, to)]
        for first, last in _packed(from_, to, words):
            yield from _solid(text, first, last)


def _between(start: int, end: int, places: Iterable[int]) -> Iterator[tuple[int, int]]:
    for place in places:
        if start < place < end:
            yield start, place
            start = place
    yield start, end


def _packed(start: int, end: int, places: list[int]) -> Iterator[tuple[int, int]]:
    """Stretches as long as the limit allows, cut at one of `places` where there is one in reach."""
    last = start
    for place in [*places, end]:
        while place - start > UNIT_CHARACTERS_MAX:
            last = last if last > start else start + UNIT_CHARACTERS_MAX
            yield start, last
            start = last
        last = place
    yield start, end


def _solid(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    trimmed = _trimmed(text, start, end)
    if trimmed is not None:
        yield trimmed


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The same stretch without white space at its ends; None where it is blank."""
    stretch = text[start:end]
    start += len(stretch) - len(stretch.lstrip())
    end -= len(stretch) - len(stretch.rstrip())
    return (start, end) if start < end else None
