"""Which facts of a log may be removed: old ones, from the oldest on, once what they come to is kept. Pure.

What is removed is always a log's beginning: the document as it was at the cut, the `base`, stands for it, and everything after that
can be read again, compared and restored as ever. The fact at the cut stays, for the base to stand on. `docs/history.md` says what
follows from this for whoever looks back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.document import Document
from schemas.events import AnyFact, DocumentCreated, DocumentRestored, Edit, SourceAdded, SourceReplaced

YOUNG_MS = 30 * 60_000
"""Whoever reads on from a fact that is younger, by their own clock, need not ask whether one before it was removed: ..."""
REMOVED_AGE_MS_MIN = 2 * YOUNG_MS
"""... none is before it is so old, whatever the settings say. Clocks may differ by what lies between."""
REMOVED_SHARE_MIN = 4
"""A compaction is worth its while where it removes one fact in so many."""


class Rule(NamedTuple):
    """How much of a log stays."""

    age_ms: int
    """What is younger."""
    edits: int
    """So many of the newest edits, each with what it found and what it made."""
    facts: int
    """A log with fewer facts, altogether."""


class Mark(NamedTuple):
    """What the rule asks of a fact."""

    sequence: int
    at_ms: int
    is_edit: bool

    @classmethod
    def of(cls, sequence: int, fact: AnyFact) -> Mark:
        """Of a fact at a sequence."""
        return cls(sequence, fact.at_ms, isinstance(fact, Edit))


def cut(log: Sequence[Mark], rule: Rule, now_ms: int) -> int | None:
    """The sequence of the oldest fact that is to stay, of a log as far as it is there; None where nothing is to go."""
    if len(log) < rule.facts:
        return None
    old = next((place for place, mark in enumerate(log) if not is_old(mark.at_ms, rule, now_ms)), len(log))
    edits = [place for place, mark in enumerate(log) if mark.is_edit]
    # The fact before the oldest edit that stays is what that edit found.
    first_kept = edits[-rule.edits] if len(edits) >= rule.edits else next(iter(edits), len(log))
    goes = min(old, first_kept) - 1
    return log[goes].sequence if goes >= max(1, len(log) // REMOVED_SHARE_MIN) else None


def is_old(at_ms: int, rule: Rule, now_ms: int) -> bool:
    """Whether a fact is old enough to go."""
    return now_ms - at_ms >= max(rule.age_ms, REMOVED_AGE_MS_MIN)


class Version(NamedTuple):
    """A source as it was given once."""

    source: str
    digest: str


def versions(fact: AnyFact) -> tuple[Version, ...]:
    """The sources that a fact gives."""
    match fact:
        case DocumentCreated(sources=sources):
            return tuple(Version(given.id, given.digest) for given in sources)
        case SourceAdded(source=given) | SourceReplaced(source=given):
            return (Version(given.id, given.digest),)
        case DocumentRestored(edits=edits):
            return tuple(version for edit in edits for version in versions(edit))
        case _:
            return ()


def given_to(document: Document) -> frozenset[Version]:
    """The sources that a document has."""
    return frozenset(Version(id_, source.given.digest) for id_, source in document.sources.items())
