"""Each section says by which model it was written, how long that took, and how many tokens it was, as the model itself counted them."""

from __future__ import annotations

from examples.case_study.house import Ends, settled
from examples.case_study.model import HEADINGS, NAME

FIRST_TOKEN_MS = 20
TOKEN_INTERVAL_MS = 2
QUICK = {"pace": "fixed", "first_token_ms": FIRST_TOKEN_MS, "token_interval_ms": TOKEN_INTERVAL_MS}
EARLY_MS_MAX = 5
"""By which a clock, or its rounding, may be off."""


async def check(ends: Ends) -> None:
    """The application's answer beside the simulator's own record of the same calls."""
    await ends.model.patch("/dials", json={"dials": QUICK})
    answer = (await ends.app.post("/write", json={"brief": "Scriptoria"})).raise_for_status().json()
    assert answer["text"], "an old client still finds the text where it was"
    sections = answer.get("sections")
    assert sections, "the answer says nothing of its sections"
    assert [section["heading"] for section in sections] == list(HEADINGS)
    assert answer["text"] == "\n\n".join(section["text"] for section in sections)
    calls = await settled(ends.model)
    for section, call in zip(sections, calls, strict=True):
        assert section["model"] == NAME
        # However busy the machine, no word is here before the model has said it; how much later it is, is the machine's affair.
        said_ms = FIRST_TOKEN_MS + TOKEN_INTERVAL_MS * (call["tokens_sent"] - 1)
        assert FIRST_TOKEN_MS - EARLY_MS_MAX <= section["first_token_ms"] <= section["duration_ms"]
        assert section["duration_ms"] >= said_ms - EARLY_MS_MAX, "shorter than the model speaks"
        assert (section["tokens_out"], section["exact"]) == (call["tokens_sent"], True)
    await ends.model.patch("/dials", json={"dials": {"wrong_usage": 1, "seed": 3}})
    answers = [(await ends.app.post("/write", json={"brief": f"Scriptoria, {n}"})).json() for n in range(3)]
    said = [section["exact"] for one in answers for section in one["sections"]]
    assert not all(said), "a provider that says nothing of its tokens was believed to have said something"
