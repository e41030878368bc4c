"""A section is in one condition at a time; a worker that dies gives its section back; one that is late changes nothing."""

from __future__ import annotations

from random import Random

from examples.case_study.structures.board import LEASE_MS, Board, Job, Section

SECTIONS = (Section("a"), Section("b"), Section("c", frozenset("ab")), Section("d", frozenset("c")))
SEEDS = 200
STEPS_MAX = 2_000
DIES = 0.3
"""The share of workers that die with their section, or freeze and are late."""


def check(board: type[Board]) -> None:
    """Many runs, in each of which workers die and freeze as they like. AssertionError says what went wrong."""
    for seed in range(SEEDS):
        _run(board(SECTIONS), Random(seed))  # noqa: S311 -- which worker dies is no secret


def _run(board: Board, random: Random) -> None:
    needs = {section.id: section.needs for section in SECTIONS}
    working: list[Job] = []
    frozen: list[Job] = []
    finished: dict[str, str] = {}
    at_ms = 0
    for _ in range(STEPS_MAX):
        at_ms += random.randrange(LEASE_MS // 4)
        job = board.take(at_ms)
        if job is not None:
            assert needs[job.section] <= board.completed.keys(), "it was begun before what it is written from was there"
            assert job.section not in board.completed, "what is finished was begun anew"
            working.append(job)
        for job in tuple(working):
            board.beat(job, at_ms)
            if random.random() < DIES:
                working.remove(job)
                if random.random() < DIES:
                    frozen.append(job)
            elif random.random() < DIES:
                working.remove(job)
                board.complete(job, f"{job.section}, attempt {job.attempt}", at_ms)
        if frozen and random.random() < DIES:
            late = frozen.pop()
            board.complete(late, f"{late.section}, attempt {late.attempt}, late", at_ms)
        conditions = [*board.pending, *board.active, *board.completed]
        assert sorted(conditions) == sorted(needs), "a section is in two conditions at once, or in none"
        for section, text in finished.items():
            assert board.completed[section] == text, "a text that was finished became another"
        finished = dict(board.completed)
        if finished.keys() == needs.keys():
            return
    raise AssertionError("a section whose worker died stays active for ever")
