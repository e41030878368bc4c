"""Faulty calls of all kinds, mixed: 200 documents of 8 sections on the whole system, at a fifth and at three fifths of all calls."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench.tables import table
from tests.faults import ENVIRONMENT, SECTIONS, play
from tests.system import running

DOCUMENTS = 200
RUNS = ((0.2, 300), (0.6, 300))
"""(share of faulty calls, deadline of each document in seconds)"""


def main() -> None:
    """Print the table."""
    rows: list[tuple[object, ...]] = []
    for faults, deadline_s in RUNS:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), environment=ENVIRONMENT) as system:
            report = asyncio.run(play(system, DOCUMENTS, faults, deadline_s))
        rows.append(
            (
                f"{faults:.0%}",
                f"{report.complete:.2%} ({report.cut} cut short)",
                f"{report.calls_a_section:.2f}",
                report.mixed,
                report.late,
                report.unfinished,
                f"{report.document_s:.1f}",
                f"{report.seconds:.0f}",
            )
        )
    table(
        f"Faults: {DOCUMENTS} documents of {SECTIONS} sections at the same time, every kind of vice alike",
        ("faulty calls", "sections written", "calls a section", "mixed", "late", "unfinished", "document, s", "all, s"),
        rows,
        "Aims at 20%: 99% written, 1.3 calls a section at most, nothing mixed, late or unfinished; at 60%: nothing unfinished. The "
        "simulator's vices strike every model of the chain alike, refusals included, which a repetition does not help.",
    )
