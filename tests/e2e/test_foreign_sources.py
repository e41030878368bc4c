"""A document from three long sources that other people wrote: every citation is found where it says, every span is exact."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pypdfium2
import pytest

from schemas.citations import MARKER, folded, is_quoted
from schemas.document import Completed, Document, Done
from schemas.passages import Passages
from tests.foreign import BYTES_MIN, Foreign, manual, pdf, specification
from tests.system import System, Viewer, create

ASKED = {
    "calls": ("Calls", "How is a call evaluated, and what is a keyword argument?"),
    "exceptions": ("Exceptions", "How are exceptions raised, and how is the handler of an exception found?"),
    "name": ("Names of packages", "Which rules hold for the name and the version in package.json?"),
    "install": ("Installing", "What does npm install do with a folder, a tarball or a package name?"),
    "settings": ("Settings", "What do access, before, cache and engine-strict set in npm's configuration?"),
    "registry": ("Registry", "Which settings are there for the registry, its certificates and for proxies?"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Foreign, ...]:
    return (specification(), manual(), pdf(tmp_path_factory.mktemp("pdf")))


async def _written(client: httpx2.AsyncClient, sources: tuple[Foreign, ...]) -> Document:
    uploads: list[str] = []
    for source in sources:
        answer = await client.post("/api/uploads", params={"name": source.name}, content=source.data)
        uploads.append(answer.raise_for_status().json()["upload"])
    outline = [{"id": id_, "heading": heading, "instructions": asks} for id_, (heading, asks) in ASKED.items()]
    last = {"id": "summary", "heading": "Summary", "instructions": "Sum up.", "depends_on": [*ASKED]}
    made = await create(
        client,
        brief="Calls and packages",
        sources=[{"upload": upload} for upload in uploads],
        outline={"sections": [*outline, last]},
    )
    viewer = Viewer(client, made["id"])
    await viewer.until("DocumentCompleted", "DocumentFailed")
    assert viewer.document is not None
    return viewer.document


async def test_every_citation_of_three_long_foreign_sources_is_found(
    system: System, client: httpx2.AsyncClient, sources: tuple[Foreign, ...]
) -> None:
    assert all(len(source.data) >= BYTES_MIN for source in sources)
    document = await _written(client, sources)
    assert isinstance(document.run, Done)
    read = {
        id_: await system.passages(document.id, id_, source.given.digest) for id_, source in document.sources.items()
    }
    assert all(len(passages.text) >= BYTES_MIN for passages in read.values())
    for passages, source in zip(read.values(), sources, strict=True):
        _assert_spans_are_exact(passages, source)
    cited: set[str] = set()
    for section in document.outline:
        cell = document.cells[section.id]
        assert isinstance(cell.state, Completed)
        assert cell.completed is not None
        text = cell.completed.text
        markers = [(found.start(), found.end()) for found in MARKER.finditer(text)]
        assert markers, section.heading
        assert [(citation.start, citation.end) for citation in cell.completed.citations] == markers
        for citation in cell.completed.citations:
            passage = read[citation.source].passages[citation.passage - 1]
            assert passage.number == citation.passage
            assert citation.verified
            assert is_quoted(citation.quote, passage.text)
            marker = MARKER.fullmatch(text[citation.start : citation.end])
            assert marker is not None
            assert marker["quote"] == citation.quote
            cited.add(citation.source)
    assert cited == set(document.sources), "each of the three has something to say on what was asked"


def _assert_spans_are_exact(passages: Passages, source: Foreign) -> None:
    ends = [0, *(passage.end for passage in passages.passages)]
    assert all(passage.start >= end for passage, end in zip(passages.passages, ends, strict=False)), (
        "in order, none twice"
    )
    assert all(passages.text[one.start : one.end] == one.text for one in passages.passages)
    if not source.name.endswith(".pdf"):
        original = source.data.decode()  # The text is the file, so that a span leads into the file.
        assert all(original[one.start : one.end] == one.text for one in passages.passages)
        assert _bare(original) == _bare("".join(one.text for one in passages.passages)), "nothing is left out"
        return
    pages = [_bare(page.get_textpage().get_text_range()) for page in pypdfium2.PdfDocument(source.data)]
    for passage in passages.passages:
        assert passage.page is not None
        assert _bare(passage.text) in pages[passage.page - 1], f"passage {passage.number} is on page {passage.page}"


def _bare(text: str) -> str:
    """Without white space and hyphens, which setting lines anew takes and gives."""
    return re.sub(r"[\s\u0002\ufffe\u00ad-]", "", folded(text))


def test_the_sources_are_still_what_they_were(tmp_path: Path) -> None:
    assert b"keyword argument" in specification().data
    assert b"npm install" in manual().data
    assert pdf(tmp_path).data.startswith(b"%PDF-")
