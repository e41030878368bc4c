"""Only what changed (promise 6): whatever is edited, in whatever order, while it is written or afterwards."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.cells import wanted_cells
from schemas.document import Document
from schemas.events import PolicyChanged
from schemas.standing import is_settled
from tests.simulation.edit_world import EditWorld, answer

seeds = st.integers(0, 2**32 - 1)


def _texts(document: Document) -> dict[str, str]:
    cells = (document.cells.get(id_) for id_ in wanted_cells(document.outline, document.sources))
    return {cell.id: cell.completed.text for cell in cells if cell is not None and cell.completed is not None}


def _is_up_to_date(world: EditWorld) -> None:
    """As if written from nothing: each text is the answer to what would be asked now."""
    for id_ in wanted_cells(world.document.outline, world.document.sources):
        cell = world.document.cells[id_]
        assert cell.completed is not None
        assert cell.locked or cell.completed.text == answer(world.prompt(id_))
        assert cell.locked or not cell.stale


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=seeds, edits=st.integers(1, 8))
def test_an_edit_asks_for_exactly_the_cells_whose_prompts_it_changes_and_for_each_once(seed: int, edits: int) -> None:
    world = EditWorld(seed)
    world.settle()
    for _ in range(edits):
        offers = {id_: cell.offer for id_, cell in world.document.cells.items()}
        world.calls.clear()
        world.edit()
        before = dict(world.prompts)  # What a text by hand gave way to was written from nothing.
        world.settle()
        wanted = wanted_cells(world.document.outline, world.document.sources)
        locked = {id_ for id_ in wanted if world.document.cells[id_].locked}
        changed = {id_ for id_ in wanted if id_ not in locked and before.get(id_) != world.prompt(id_)}
        # A rewrite that was asked of a locked cell is offered.
        offered = {id_ for id_ in locked if world.document.cells[id_].offer not in {None, offers.get(id_)}}
        assert world.calls == Counter([*changed, *offered])
        _is_up_to_date(world)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=seeds, rounds=st.integers(1, 12))
def test_what_is_edited_while_it_is_written_ends_as_if_written_from_nothing(seed: int, rounds: int) -> None:
    world = EditWorld(seed)
    for _ in range(rounds):
        for _ in range(world.rng.randint(0, 12)):
            world.step()
        world.edit()
    world.settle()
    _is_up_to_date(world)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=seeds, rounds=st.integers(1, 5))
def test_going_back_costs_nothing_and_brings_back_the_very_texts(seed: int, rounds: int) -> None:
    world = EditWorld(seed)
    world.settle()
    for _ in range(rounds):
        world.edit()
        if world.rng.random() < 0.5:
            world.settle()
    world.calls.clear()
    then = world.restore()
    world.settle()
    assert not world.calls
    assert _texts(world.document) == _texts(then)
    assert (world.document.outline, world.document.brief) == (then.outline, then.brief)
    assert list(world.document.sources) == list(then.sources)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=seeds, edits=st.integers(1, 5))
def test_a_document_that_is_updated_by_hand_asks_for_nothing_until_told(seed: int, edits: int) -> None:
    world = EditWorld(seed)
    world.settle()
    world.append(PolicyChanged(at_ms=0, policy=replace(world.document.policy, updates="manual")))
    world.settle()
    world.calls.clear()
    texts = _texts(world.document)
    for _ in range(edits):
        world.edit()
        if any(cell.asked for cell in world.document.cells.values()):
            return  # A rewrite that is asked for is told.
        world.settle()
    assert not world.calls
    still = wanted_cells(world.document.outline, world.document.sources)
    for id_, text in texts.items():
        assert id_ not in still or world.document.cells[id_].locked or _texts(world.document).get(id_) == text
    world.update()
    world.settle()
    for id_ in still:
        cell = world.document.cells[id_]
        assert cell.locked or (cell.completed is not None and cell.completed.text == answer(world.prompt(id_)))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=seeds, rounds=st.integers(1, 12))
def test_whoever_waits_until_a_document_is_settled_sees_all_that_is_written_and_waits_for_nothing_else(
    seed: int, rounds: int
) -> None:
    world = EditWorld(seed)
    for _ in range(rounds):
        for _ in range(world.rng.randint(0, 12)):
            world.step()
        if world.rng.random() < 0.7:
            world.edit()
        if is_settled(world.document):
            world.calls.clear()
            world.settle()
            assert not world.calls
        else:
            assert world.step()
    world.settle()
    assert is_settled(world.document)
