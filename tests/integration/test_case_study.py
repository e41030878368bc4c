"""The exercises of the case study: what each demands is missing from its start state, and there in its worked solution."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from examples.case_study.__main__ import Exercise, verdict
from examples.case_study.house import simulated

MISSING = {
    Exercise.METADATA: "says nothing of its sections",
    Exercise.STREAMING: "came with the finished text",
    Exercise.CANCELLING: "written and paid for to its end",
    Exercise.STRUCTURES: "whose worker died stays active for ever",
}
"""The very thing that the exercise is about, and no other defect."""


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The simulator that all exercises ask."""
    with simulated() as address:
        yield address


@pytest.mark.parametrize("exercise", Exercise)
def test_the_start_state_of_an_exercise_lacks_what_it_is_about(exercise: Exercise, model: str) -> None:
    assert re.search(MISSING[exercise], verdict(exercise, "start", model))


@pytest.mark.parametrize("exercise", Exercise)
def test_the_worked_solution_of_an_exercise_has_all_that_is_asked_for(exercise: Exercise, model: str) -> None:
    assert verdict(exercise, "solution", model) == ""
