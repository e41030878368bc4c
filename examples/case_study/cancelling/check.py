"""When the last reader has left for good, the model's connections close; a reload and a second reader close none."""

from __future__ import annotations

import asyncio

from examples.case_study.house import Ends, settled
from examples.case_study.reader import Reader

SLOW = {"pace": "fixed", "first_token_ms": 20, "token_interval_ms": 30}


async def check(ends: Ends) -> None:
    """Readers who leave, beside the simulator's own record of who closed which connection."""
    await ends.model.patch("/dials", json={"dials": SLOW})
    made = (await ends.app.post("/documents", json={"brief": "Scriptoria"})).json()
    assert "events" in made, "there is nothing to watch"
    first, second = Reader(ends.app, made["events"]), Reader(ends.app, made["events"])

    # The first one leaves and comes back, twice, while the second one goes on reading: nothing is cancelled.
    await asyncio.gather(second.read(pieces=12), first.read(pieces=2))
    await first.read(pieces=6)
    assert await ended(ends) == [], "a reload, or a second reader, was taken for the last one leaving"

    # Both have left.
    assert {call["ended"] for call in await settled(ends.model)} == {"client_gone"}, (
        "nobody read it any more, and it was written and paid for to its end"
    )

    # Somebody comes back: what was cut off is written anew, and the words on the screen are those of one attempt.
    await ends.model.delete("/dials")
    await first.read()
    texts = (await ends.app.get(f"/documents/{made['id']}")).json()["texts"]
    assert first.texts == texts
    assert any(event["type"] == "DocumentPaused" for event in first.events), "nobody says that it was paused"


async def ended(ends: Ends) -> list[str]:
    """How those ended that are over, as the model's end of the wire saw them."""
    calls = (await ends.model.get("/record")).json()
    return [call["ended"] for call in calls if call["ended"] != "open"]
