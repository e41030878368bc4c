"""What an application asks of its work, whatever it is kept in. Times are milliseconds, and come as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

LEASE_MS = 1_000
"""A worker that has not been heard of for so long has its section taken from it."""


class Section(NamedTuple):
    """A section to be written, and the sections that it is written from."""

    id: str
    needs: frozenset[str] = frozenset()


class Job(NamedTuple):
    """A section in somebody's hands."""

    section: str
    attempt: int = 1


class Board(Protocol):
    """Pending, active and completed work."""

    def __init__(self, sections: tuple[Section, ...], /) -> None:
        """All of it is pending."""
        ...

    def take(self, at_ms: int, /) -> Job | None:
        """The next section that can be written now; None: there is none."""
        ...

    def beat(self, job: Job, at_ms: int, /) -> bool:
        """Its worker is still there. False: the job is no longer its own."""
        ...

    def complete(self, job: Job, text: str, at_ms: int, /) -> None:
        """It is written."""
        ...

    @property
    def pending(self) -> frozenset[str]:
        """Waits."""
        ...

    @property
    def active(self) -> frozenset[str]:
        """Is in somebody's hands."""
        ...

    @property
    def completed(self) -> Mapping[str, str]:
        """Texts."""
        ...
