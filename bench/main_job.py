"""The main job against a bare loop, in the same run: completion, first token, and how long a token is on its way.

One document of eight sections and a summary that depends on them, on a model of fixed pace. The two take turns; the first rounds of
each are thrown away, as they warm connections. First tokens are counted on short documents, of which there can be more.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx2
import msgspec

from bench.bare import bare_loop
from bench.pace import Pace, provider, sent_at_s
from bench.reader import events
from bench.tables import median, percentile, spread, table
from tests.system import CREATED, running, sections

PACE = Pace(tokens=200, per_second=66, first_ms=350, stamped=True)
ROUNDS = 4
SHORT_PACE = Pace(tokens=10, per_second=66, first_ms=350, stamped=True)
SHORT_ROUNDS = 19
WARMING_ROUNDS = 1
SECTIONS = 8
LEVELS = 2
"""The sections, then the summary."""
DOCUMENT_S_MAX = 60.0
FIRST_AIM_MS = 10.0
COMPLETION_AIM = 1.02


class Run(NamedTuple):
    """One document."""

    first_ms: float
    """From sending POST to the first token read, above the model's own."""
    completion_s: float
    """From sending POST to reading that it is done."""
    hops_ms: list[float]
    """Of each token, from the model's sending to the reader's reading."""


async def write(client: httpx2.AsyncClient, pace: Pace) -> Run:
    """Have one written, and watch."""
    asked = {"brief": "What a bus costs", "outline": sections(SECTIONS + 1), "policy": {"model": f"paced/{pace.name}"}}
    body = msgspec.json.encode(asked)
    first_s: float | None = None
    hops_ms: list[float] = []
    began_s = time.time()
    async with asyncio.timeout(DOCUMENT_S_MAX):
        response = await client.post("/api/documents", content=body, headers={"Content-Type": "application/json"})
        if response.status_code != CREATED:
            raise RuntimeError(response.text)
        async for type_, data, at_s in events(client, f"/api/documents/{response.json()['id']}/events"):
            if type_ == "TextAppended":
                first_s = first_s or at_s
                hops_ms += [(at_s - sent_s) * 1_000 for sent_s in sent_at_s(data)]
            elif type_ == "DocumentCompleted":
                if first_s is None or len(hops_ms) != pace.tokens * (SECTIONS + 1):
                    msg = f"{len(hops_ms)} tokens came, not {pace.tokens * (SECTIONS + 1)}"
                    raise RuntimeError(msg)
                return Run((first_s - began_s) * 1_000 - pace.first_ms, at_s - began_s, hops_ms)
    raise RuntimeError("the stream ended before the document did")


async def compare(addresses: dict[str, str], pace: Pace, rounds: int) -> dict[str, list[Run]]:
    """Take turns."""
    runs: dict[str, list[Run]] = {name: [] for name in addresses}
    for _ in range(rounds + WARMING_ROUNDS):
        for name, address in addresses.items():
            async with httpx2.AsyncClient(base_url=address, trust_env=False, timeout=DOCUMENT_S_MAX) as client:
                await client.get("/healthz")  # As a browser, which has loaded the page before it asks for anything.
                runs[name].append(await write(client, pace))
    return {name: found[WARMING_ROUNDS:] for name, found in runs.items()}


def main() -> None:
    """Print the table."""
    with provider() as port, tempfile.TemporaryDirectory() as folder:
        base_url, config = f"http://127.0.0.1:{port}/v1", Path(folder) / "scriptorium.toml"
        config.write_text(
            f'[providers.paced]\nbase_url = "{base_url}"\n[models]\nwrite = ["paced/{PACE.name}"]\n', encoding="utf-8"
        )
        with (
            bare_loop(base_url) as bare,
            running(Path(folder) / "data", "--config", str(config)) as system,
        ):
            addresses = {"bare": bare, "ours": system.gateway}
            short = asyncio.run(compare(addresses, SHORT_PACE, SHORT_ROUNDS))
            whole = asyncio.run(compare(addresses, PACE, ROUNDS))
    show(short, whole)


def show(short: dict[str, list[Run]], whole: dict[str, list[Run]]) -> None:
    """The figures of both, and what lies between them."""
    ideal_s = LEVELS * PACE.ideal_s
    hops = {name: [hop for run in runs for hop in run.hops_ms] for name, runs in whole.items()}
    completions = {name: [run.completion_s / ideal_s for run in runs] for name, runs in whole.items()}
    firsts = {name: [run.first_ms for run in runs] for name, runs in short.items()}
    completion = median(completions["ours"]) / median(completions["bare"])
    first_ms = median(firsts["ours"]) - median(firsts["bare"])
    rows = [
        (
            "completion / ideal",
            *(spread(values, digits=4) for values in completions.values()),
            f"x {completion:.4f}",
            f"x {COMPLETION_AIM}",
        ),
        (
            "first token above the model's own, ms",
            *(spread(values) for values in firsts.values()),
            f"+ {first_ms:.1f} ms",
            f"+ {FIRST_AIM_MS:g} ms",
        ),
        *(
            (
                f"model to reader, {name}, ms",
                f"{percentile(hops['bare'], share):.2f}",
                f"{percentile(hops['ours'], share):.2f}",
                f"x {percentile(hops['ours'], share) / percentile(hops['bare'], share):.2f}",
                "",
            )
            for name, share in (("p50", 0.5), ("p99", 0.99))
        ),
    ]
    table(
        f"Main job: {SECTIONS} sections and a summary, {PACE.tokens} tokens each at {PACE.per_second:g}/s, "
        f"ideal {ideal_s:.2f} s; {ROUNDS} rounds in turn, {SHORT_ROUNDS} for the first token",
        ("median (smallest to largest)", "bare loop", "scriptorium", "difference", "aim"),
        rows,
    )
