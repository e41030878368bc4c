from __future__ import annotations

from collections import Counter

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.document import Abandoned, Completed, Done, Failed, Paused
from schemas.events import CellCompleted, queued_in
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
        states = {cell: world.document.cells[cell].state for cell in wanted}
        assert all(isinstance(state, Completed | Failed) for state in states.values())
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
