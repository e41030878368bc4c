"""A table of 200 rows and 10 columns, filled in by four writers: what is changed is paid for, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from schemas.events import AttemptCancelled, AttemptFailed
from schemas.sums import NumberSums, sums_of
from tests.readers import Reader
from tests.system import System, create, running

ROWS, COLUMNS = 200, 10
NEVER_TWICE = "[health]\nhedge_share = 0\n"
"""A busy machine makes a call late, and a late call is hedged: here each call is to be counted."""
FAST = '[simulator.dials.default]\npace = "fixed"\nfirst_token_ms = 1\ntoken_interval_ms = 0\n'
LEAVES = [{"id": f"q{n}", "heading": f"How many leaves, count {n}", "format": "number"} for n in range(COLUMNS)]
OUTLINE = {
    "sections": [
        {"id": "t", "heading": "Books", "columns": LEAVES},
        {"id": "sum", "heading": "Leaves", "depends_on": ["t:q0"]},
    ]
}


@pytest.fixture
def four_writers(tmp_path: Path) -> Iterator[System]:
    config = tmp_path / "scriptorium.toml"
    config.write_text(NEVER_TWICE + FAST, encoding="utf-8")
    with running(tmp_path / "data", "--writers", "4", "--config", str(config)) as started:
        yield started


async def paid(system: System, reader: Reader) -> Counter[str]:
    """Calls for each cell, but for those that the log says came to nothing: a busy machine may cut one off, and then it is made again."""
    facts = await system.facts(reader.id)
    lost = Counter(fact.cell for fact in facts if isinstance(fact, AttemptFailed | AttemptCancelled))
    calls = await reader.calls()
    assert len(lost) < ROWS, "most calls come to something"
    return calls - lost


def book(leaves: int) -> str:
    return (
        f"The scribe counted {leaves} leaves in the volume on the desk. The boards of the volume are made of oak wood."
    )


async def test_a_column_costs_its_cells_a_source_its_row_and_a_text_by_hand_survives_both(
    four_writers: System,
) -> None:
    async with httpx2.AsyncClient(base_url=four_writers.gateway, trust_env=False, timeout=60) as client:
        sources = [{"name": f"{n}.md", "text": book(n)} for n in range(1, ROWS + 1)]
        made = await create(client, brief="Books", sources=sources, outline=OUTLINE)
        async with Reader(client, four_writers.simulator, made) as reader:
            wanted = Counter({f"t:s{row}:q{n}": 1 for row in range(1, ROWS + 1) for n in range(COLUMNS)} | {"sum": 1})
            filled = await reader.settled()
            assert await paid(four_writers, reader) == wanted
            table = filled.outline[0]
            sums = sums_of(filled, table, table.columns[0])
            assert isinstance(sums, NumberSums)
            assert [one.sum for one in sums.figures] == [str(ROWS * (ROWS + 1) // 2)]
            summary = filled.cells["sum"].completed
            assert summary is not None
            assert "sum 20100, mean 100.5, median 100.5" in summary.text, "what it was told, it quotes"

            by_hand = await reader.edit("PUT", "/cells/t:s7:q3", {"text": "7 leaves, and a stub"})
            await reader.settled(by_hand["sequence"])
            assert await paid(four_writers, reader) == wanted, "no other cell is written from it"

            column = await reader.edit("PUT", "/sections/t/columns/wood", {"heading": "What the boards are of"})
            await reader.settled(column["sequence"])
            wood = Counter({f"t:s{row}:wood": 1 for row in range(1, ROWS + 1)})
            assert await paid(four_writers, reader) == wanted + wood

            replaced = await reader.edit("PUT", "/sources/s7", {"name": "7.md", "text": book(9_000)})
            after = await reader.settled(replaced["sequence"])
            row = Counter([f"t:s7:q{n}" for n in range(COLUMNS) if n != 3] + ["t:s7:wood", "sum"])
            assert await paid(four_writers, reader) == wanted + wood + row
            kept, beside = after.cells["t:s7:q3"], after.cells["t:s7:q4"].completed
            assert kept.completed is not None
            assert beside is not None
            assert kept.completed.text == "7 leaves, and a stub"
            assert [(reason.kind, reason.what) for reason in kept.stale] == [("source_replaced", "s7")]
            assert beside.text.startswith("9000")
