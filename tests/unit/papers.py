"""Finished documents, made of a few words, for tests of what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.citations import cited
from schemas.document import Cell, CellState, Completed, Completion, Document, Done, Source
from schemas.values import Policy, Section, SourceGiven


def source(id_: str = "s1", name: str = "The Rule", passages: int = 9) -> Source:
    """A source that was read; of the web, where its name is an address."""
    url = name if name.startswith("https:") else ""
    given = SourceGiven(id=id_, name=name, media_type="text/plain", size_bytes=1, digest="d", url=url)
    return Source(given=given, digest="t", passages=passages)


def completed(id_: str, text: str, state: CellState | None = None) -> Cell:
    """A finished cell; quotes that say `lost` are not in their passage."""
    citations = cited(text, lambda _source, _number: "ora et labora; nothing may be put before the work of God")
    completion = Completion(
        revision=1, attempt=1001001, at_ms=1, text=text, input_digest="i", output_digest="o", citations=citations
    )
    return Cell(id=id_, state=state or Completed(at_ms=1), completed=completion)


def document(
    outline: tuple[Section, ...],
    texts: Mapping[str, str],
    sources: tuple[Source, ...] = (source(),),
    title: str = "Title",
) -> Document:
    """All of it."""
    return Document(
        id="0" * 32,
        title=title,
        brief="Brief",
        policy=Policy(),
        created_at_ms=1_700_000_000_000,
        run=Done(at_ms=1),
        outline=outline,
        sources={one.given.id: one for one in sources},
        cells={id_: completed(id_, text) for id_, text in texts.items()},
    )
