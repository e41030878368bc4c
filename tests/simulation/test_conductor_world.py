from __future__ import annotations

from collections import Counter

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.document import Abandoned, Completed, Done, Failed, Paused, is_stopped_alone
from schemas.events import PLAN_CELL, CellCompleted, CellStopped, DocumentResumed, queued_in
from tests.simulation.conductor_world import World

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=seeds, steps=st.integers(0, 600))
def test_whatever_happens_every_document_ends_or_rests_and_no_job_is_on_the_queue_twice(seed: int, steps: int) -> None:
    world = World(seed)
    for _ in range(steps):
        world.chaos()
    world.calm_down()
    run = world.document.run
    assert isinstance(run, Done | Abandoned | Paused)
    if isinstance(run, Done):
        wanted = {section.id for section in world.document.outline}
        cells = [world.document.cells[cell] for cell in wanted]
        assert all(isinstance(cell.state, Completed | Failed) or is_stopped_alone(cell) for cell in cells)
    if isinstance(run, Paused):
        assert run.reason != "last_viewer_left" or world.viewers == 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=seeds)
def test_where_nothing_fails_every_cell_is_queued_once_and_written_once(seed: int) -> None:
    world = World(seed)
    assume(world.document.policy.budget is None)
    world.viewers = 1
    world.calm_down()
    facts = [fact for _, fact in world.log]
    queued = Counter((one.cell, one.job) for fact in facts for one in queued_in(fact))
    written = Counter(fact.cell for fact in facts if isinstance(fact, CellCompleted))
    assert set(queued.values()) == {1}
    assert all(job == 1 for _, job in queued)
    assert written == Counter(section.id for section in world.document.outline)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=seeds, steps=st.integers(100, 600))
def test_a_cell_that_was_stopped_by_itself_is_not_begun_again_before_what_is_over_is_resumed(
    seed: int, steps: int
) -> None:
    """Nothing is edited here: it comes back by that, or where what it is written from came out otherwise."""
    world = World(seed)
    for _ in range(steps):
        world.chaos()
    world.calm_down()
    stopped: dict[str, str] = {}
    for was, fact in zip(world.documents, [fact for _, fact in world.log[1:]], strict=True):
        match fact:
            case CellStopped(cell=cell):
                assert cell != PLAN_CELL
                stopped[cell] = was.cells[cell].input_digest
            case DocumentResumed() if isinstance(was.run, Done):
                stopped.clear()
            case CellCompleted(cell=cell):
                stopped.pop(cell, None)  # Its last word was on its way when it was stopped.
            case _:
                for one in queued_in(fact):
                    assert stopped.pop(one.cell, "") != one.input_digest, f"{one} begins what was stopped"
