"""The recorded vectors are what the fold makes now; the page's twin is held to the same file."""

from __future__ import annotations

from schemas.vectors import record


def test_the_recorded_vectors_are_what_the_fold_makes() -> None:
    assert record.FILE.read_text(encoding="utf-8") == record.recorded()
