"""The answer comes before the work; the work is seen as it is done, by any number of readers, who may drop and come back."""

from __future__ import annotations

from examples.case_study.house import Ends, settled
from examples.case_study.model import HEADINGS
from examples.case_study.reader import Reader

SLOW = {"pace": "fixed", "first_token_ms": 20, "token_interval_ms": 10}


async def check(ends: Ends) -> None:
    """Readers beside the simulator's own record of its calls."""
    await ends.model.patch("/dials", json={"dials": SLOW})
    answer = await ends.app.post("/documents", json={"brief": "Scriptoria"})
    assert answer.status_code == 201, "the answer came with the finished text, not before it"  # noqa: PLR2004 -- Created
    made = answer.json()

    dropping, steady = Reader(ends.app, made["events"]), Reader(ends.app, made["events"])
    await dropping.read(pieces=3)
    assert (await ends.model.get("/record/open")).json(), "the first words came when all was written"
    for _ in range(5):
        await dropping.read(pieces=7)
    await dropping.read()
    await steady.read()

    calls = await settled(ends.model)
    assert len(calls) == len(HEADINGS), "a second reader, or one who comes back, is paid for again"
    assert max(call["began_at_ms"] for call in calls) < min(call["ended_at_ms"] for call in calls), (
        "the sections were written one after the other, although none of them needs the others"
    )
    texts = (await ends.app.get(f"/documents/{made['id']}")).json()["texts"]
    assert set(texts) == set(HEADINGS)
    assert steady.texts == texts
    assert dropping.texts == texts, "who dropped has other words than who never left"
    assert dropping.events == steady.events
