"""A snapshot and the rest of its log come to what the whole log comes to, wherever it was made; what is torn is none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import schemas
from schemas import document as documents
from schemas.document import Deleted, Document, Done, Running
from schemas.events import AnyFact, CellLocked, DocumentCreated, TextAppended, encode
from schemas.fold import created, fold, fold_ink
from schemas.snapshots import (
    CELLS_A_FACT,
    FACTS_AT_REST_MIN,
    FACTS_RUNNING_MIN,
    FOLD_VERSION,
    FOLDED_BY,
    Info,
    decode_info,
    digest,
    encode_info,
    is_due,
    seal,
    unseal,
    usable,
)
from schemas.values import Policy, Section
from tests.simulation.edit_world import RecordedWorld
from tests.unit.logs import DOCUMENT, Event, Written, histories

seeds = st.integers(0, 2**32 - 1)


def _history() -> tuple[AnyFact, ...]:
    section = Section(id="a", heading="A")
    return (
        DocumentCreated(at_ms=0, title="T", brief="B", policy=Policy(), outline=(section,)),
        CellLocked(at_ms=1, cell="a"),
    )


def _folded(events: list[Event], document: Document | None = None, sequence: int = 0) -> Document:
    for event in events:
        if isinstance(event, TextAppended):
            assert document is not None
            document = fold_ink(document, event)
        else:
            sequence += 1
            document = created(DOCUMENT, event, sequence) if document is None else fold(document, event, sequence)
    assert document is not None
    return document


@settings(max_examples=100, deadline=None)
@given(history=histories(), data=st.data())
def test_a_snapshot_and_the_rest_of_the_log_are_the_whole_log(history: Written, data: st.DataObject) -> None:
    facts = [event for event in history.events if not isinstance(event, TextAppended)]
    inks: list[Event] = [event for event in history.events if isinstance(event, TextAppended)]
    cut = data.draw(st.integers(1, len(facts)))
    sealed = seal(_folded([*facts[:cut]]), encode(facts[cut - 1]), "n")
    begun = unseal(DOCUMENT, sealed.info, b"".join(sealed.parts()))
    assert begun is not None
    assert begun.sequence == cut
    assert _folded([*facts[cut:]], begun, cut) == _folded([*facts])
    assert _folded([*facts[cut:], *inks], begun, cut) == _folded([*facts, *inks])


@settings(max_examples=100, deadline=None)
@given(history=histories(), data=st.data())
def test_what_a_viewer_is_sent_and_what_follows_it_are_the_whole_log(history: Written, data: st.DataObject) -> None:
    events = [*history.events]
    cut = data.draw(st.integers(1, len(events)))
    shown = documents.decode(documents.encode(_folded(events[:cut])))
    assert _folded(events[cut:], shown, shown.sequence) == _folded(events)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, edits=st.integers(1, 8), data=st.data())
def test_so_they_are_of_a_document_that_is_edited(seed: int, edits: int, data: st.DataObject) -> None:
    world = RecordedWorld(seed)
    world.settle()
    for _ in range(edits):
        world.edit()
        world.settle()
    cut = data.draw(st.integers(1, len(world.log)))
    sealed = seal(world.at(cut), encode(world.log[cut - 1]), "n")
    begun = unseal(world.document.id, sealed.info, sealed.data)
    assert begun is not None
    for sequence, fact in enumerate(world.log[cut:], cut + 1):
        begun = fold(begun, fact, sequence)
    assert begun == world.document


@settings(max_examples=40, deadline=None)
@given(history=histories(), data=st.data())
def test_whatever_is_missing_of_it_or_changed_in_it_makes_it_none(history: Written, data: st.DataObject) -> None:
    facts = [event for event in history.events if not isinstance(event, TextAppended)]
    info, bytes_ = seal(_folded([*facts]), encode(facts[-1]), "n")
    at = data.draw(st.integers(0, len(bytes_) - 1))
    flipped = bytes_[:at] + bytes([bytes_[at] ^ 1]) + bytes_[at + 1 :]
    for torn in (bytes_[:at], bytes_[at + 1 :], flipped, b""):
        assert unseal(DOCUMENT, info, torn) is None
    assert unseal("another", info, bytes_) is None
    assert unseal(DOCUMENT, replace(info, sequence=info.sequence + 1), bytes_) is None
    assert unseal(DOCUMENT, info, bytes_) is not None


def test_what_decodes_to_no_document_is_none() -> None:
    info, _ = seal(_folded([*_history()]), b"", "n")
    for data in (b"{}", b"[]", b"no JSON"):
        plain = replace(info, packed=False, digest=digest(data))
        assert unseal(DOCUMENT, plain, data) is None
        assert unseal(DOCUMENT, replace(plain, packed=True), data) is None
    assert decode_info(encode_info(info)) == info
    assert decode_info(b'{"version":"of old"}') is None


def test_another_fold_s_snapshot_is_used_only_where_the_log_is_not_whole() -> None:
    newest = Info(version="other", sequence=9, fact="", name="", parts=1, size_bytes=1, packed=False, digest="")
    base = replace(newest, version=FOLD_VERSION, sequence=4)
    assert usable({"newest": newest, "base": base}, is_whole=True) == [base]
    assert usable({"newest": newest, "base": base}, is_whole=False) == [base, newest]


def test_the_fold_s_version_covers_every_module_that_it_is_made_of() -> None:
    folder = Path(schemas.__file__).parent
    found: set[str] = set()
    new = {"fold", "document"}
    while new:
        found |= new
        new = {name for module in new for name in _imported(folder / f"{module}.py")} - found
    assert found == set(FOLDED_BY)


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "schemas":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("schemas."):
            names.add((node.module or "").removeprefix("schemas."))
    return names


@pytest.mark.parametrize(("running", "least"), [(True, FACTS_RUNNING_MIN), (False, FACTS_AT_REST_MIN)])
def test_a_document_is_kept_anew_after_so_many_facts(running: bool, least: int) -> None:
    document = _folded([*_history()])
    run = Running(since_ms=0, deadline_ms=9) if running else Done(at_ms=1)
    document = replace(document, run=run)
    assert not is_due(document, least - 1)
    assert is_due(document, least)
    cells = {str(n): next(iter(document.cells.values())) for n in range(least * CELLS_A_FACT + CELLS_A_FACT)}
    assert not is_due(replace(document, cells=cells), least)
    assert is_due(replace(document, cells=cells), least + 1)
    assert not is_due(replace(document, run=Deleted(at_ms=1, sequence=1)), least)
