"""Three lists. Moving a section means removing it from one and appending it to the next."""

from __future__ import annotations

from starlette.applications import Starlette

from examples.case_study.model import Model
from examples.case_study.structures.board import Job, Section
from examples.case_study.structures.serving import served


class Lists:
    """As anybody would begin."""

    def __init__(self, sections: tuple[Section, ...]) -> None:
        self._pending = list(sections)
        self._active: list[Section] = []
        self._done: list[tuple[Section, str]] = []

    def take(self, _at_ms: int) -> Job | None:
        """The first one whose needs are met."""
        done = {section.id for section, _ in self._done}
        for section in self._pending:
            if section.needs <= done:
                self._pending.remove(section)
                self._active.append(section)
                return Job(section.id)
        return None

    def beat(self, job: Job, _at_ms: int) -> bool:
        """Nobody takes anything from anybody."""
        return job.section in self.active

    def complete(self, job: Job, text: str, _at_ms: int) -> None:
        """From the second list to the third."""
        self._active = [section for section in self._active if section.id != job.section]
        self._done.append((Section(job.section), text))

    @property
    def pending(self) -> frozenset[str]:
        """The first list."""
        return frozenset(section.id for section in self._pending)

    @property
    def active(self) -> frozenset[str]:
        """The second list."""
        return frozenset(section.id for section in self._active)

    @property
    def completed(self) -> dict[str, str]:
        """The third list."""
        return {section.id: text for section, text in self._done}


def application(model: Model) -> Starlette:
    """`POST /documents`, `GET /documents/{id}`: which sections are pending, active and completed."""
    return served(model, Lists)


board = Lists
