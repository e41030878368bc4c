"""One mapping, from a section to the one condition that it is in; active work is a lease with a number that fences off the late.

In the system: `Cell.state` in `schemas/document.py`, folded by `schemas/fold.py`; the queue that counts deliveries in
`services/shared/work.py`; what is missing in `decide` of `services/conductor/core.py`.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import NamedTuple

from starlette.applications import Starlette

from examples.case_study.model import Model
from examples.case_study.structures.board import LEASE_MS, Job, Section
from examples.case_study.structures.serving import served


class Pending(NamedTuple):
    """It waits, having been tried so often."""

    attempts: int = 0


class Active(NamedTuple):
    """It is somebody's until the lease runs out; nobody has to say that a worker has died."""

    attempt: int
    until_ms: int


class Completed(NamedTuple):
    """Its text, for good."""

    text: str


State = Pending | Active | Completed


class Mapped:
    """A section cannot be in two conditions, as there is one place to write it down."""

    def __init__(self, sections: tuple[Section, ...]) -> None:
        """CycleError where sections need each other in a circle: before anything is pending, not when nothing moves."""
        self._needs = {section.id: section.needs for section in sections}
        order = TopologicalSorter(self._needs).static_order()
        self._states: dict[str, State] = {id_: Pending() for id_ in order}

    def take(self, at_ms: int) -> Job | None:
        """One pass in an order in which needs come first; it costs less than the counters that would spare it."""
        for id_, state in self._states.items():
            match state:
                case Pending(attempts):
                    pass
                case Active(attempts, until_ms) if until_ms <= at_ms:
                    pass  # Its worker has fallen silent.
                case _:
                    continue
            if self._needs[id_] <= self.completed.keys():
                self._states[id_] = Active(attempts + 1, at_ms + LEASE_MS)
                return Job(id_, attempts + 1)
        return None

    def beat(self, job: Job, at_ms: int) -> bool:
        """The lease is renewed, as long as it is this attempt's."""
        if not self._is_current(job):
            return False
        self._states[job.section] = Active(job.attempt, at_ms + LEASE_MS)
        return True

    def complete(self, job: Job, text: str, _at_ms: int) -> None:
        """A late attempt changes nothing. One whose lease has run out, and that nobody has taken, has its text kept."""
        if self._is_current(job):
            self._states[job.section] = Completed(text)

    def _is_current(self, job: Job) -> bool:
        state = self._states[job.section]
        return isinstance(state, Active) and state.attempt == job.attempt

    @property
    def pending(self) -> frozenset[str]:
        """A view of the mapping."""
        return frozenset(id_ for id_, state in self._states.items() if isinstance(state, Pending))

    @property
    def active(self) -> frozenset[str]:
        """A view of the mapping."""
        return frozenset(id_ for id_, state in self._states.items() if isinstance(state, Active))

    @property
    def completed(self) -> dict[str, str]:
        """A view of the mapping."""
        return {id_: state.text for id_, state in self._states.items() if isinstance(state, Completed)}


def application(model: Model) -> Starlette:
    """As before."""
    return served(model, Mapped)


board = Mapped
