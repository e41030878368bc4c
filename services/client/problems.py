"""Refusals of the gateway, as exceptions."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from schemas.edit_requests import Moved
from schemas.requests import FieldProblem, ProblemDetails

CHANGED_MEANWHILE = 412
T = TypeVar("T")


class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """The gateway's refusal, in its own words (RFC 9457)."""

    def __init__(self, status: int, body: bytes) -> None:
        fallback = ProblemDetails(title=f"HTTP {status}", status=status, detail=f"HTTP {status}")
        told = _told(body, ProblemDetails, fallback)
        self.status = status
        self.title = told.title
        self.detail = told.detail or told.title
        self.errors: tuple[FieldProblem, ...] = told.errors
        """Field by field; the first of them is what `detail` says."""
        super().__init__("\n".join([self.detail, *(f"  {error.pointer}: {error.detail}" for error in told.errors[1:])]))


class Conflict(Problem):
    """Somebody has edited the document since the moment that `if_match` named. Nothing was changed."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        moved = _told(body, Moved, Moved(version=0))
        self.version = moved.version
        """Of the newest edit: what to name next, once its changes are taken in."""
        self.current = moved.current
        """What was to be changed, as it is now."""
        self.changes = moved.changes
        """The edits since, newest first."""


def problem_of(status: int, body: bytes) -> Problem:
    """The exception for an answer."""
    return (Conflict if status == CHANGED_MEANWHILE else Problem)(status, body)


def _told(body: bytes, type_: type[T], otherwise: T) -> T:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.DecodeError:  # Not from the gateway itself: a proxy's page.
        return otherwise
