"""What the gate before the models does, in virtual time: 429 storms, models that are dead, late, or often fail. Seeded, so that runs can be compared.

Four writers of 16 slots that always have work, the gate that writers use, and the simulator's own account. Minutes take seconds, and
the machine's speed changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.tables import median, percentile, spread, table
from services.shared.health.policy import Policy
from services.simulator.dials import Dials
from tests.simulation.models_world import Fault, Model, World

SEEDS = range(3)
SETTLED_MS, END_MS = 120_000, 600_000
DIES_MS, RETURNS_MS, OVER_MS = 60_000, 180_000, 300_000
WINDOW_MS = 3_000
CALL_S = 3.0
"""Of the modelled provider, on average."""
ACCOUNTS = {
    "600 calls a minute, all at once if need be": (Dials(requests_per_minute=600, limit_window_s=60), 10.0),
    "600 calls a minute, no bunches": (Dials(requests_per_minute=600, limit_window_s=1), 10.0),
    "180 calls a minute": (Dials(requests_per_minute=180, limit_window_s=5), 3.0),
    "20 calls at a time": (Dials(concurrent_max=20), 20 / CALL_S),
}
BARE = Policy(pressed_ms=0, plateau_ms=0)


def storm(seed: int, dials: Dials, policy: Policy) -> tuple[float, float]:
    """(accepted calls a second, share of calls that were refused), once settled."""
    model = Model(seed, dials)
    World(seed, {"p/a": model}, policy=policy).start().clock.run(END_MS)
    accepted = sum(at_ms >= SETTLED_MS for at_ms in model.accepted)
    refused = sum(at_ms >= SETTLED_MS for at_ms in model.refused)
    return accepted / ((END_MS - SETTLED_MS) / 1_000), refused / (accepted + refused)


def tail(seed: int, hedge_share: float, lags: float, p99: float) -> tuple[float, float, float]:
    """(p50 and p99 of the first token in ms, extra calls as a share)."""
    model = Model(seed, p99=p99)
    model.lags = lags
    world = World(seed, {"p/a": model}, policy=Policy(hedge_share=hedge_share)).start()
    world.clock.run(END_MS)
    took = [took_ms for _, took_ms in world.first_tokens]
    hedges = sum(h.counts.hedges for writer in world.writers for h in writer.gate.models.values())
    return median(took), percentile(took, 0.99), hedges / (len(model.called) - hedges)


def dead(seed: int, fault: Fault) -> tuple[float, int, float]:
    """(seconds until first tokens come as fast as the fallback's, calls of the dead model in two minutes, seconds to come back)."""
    first, second = Model(seed), Model(-seed, first_ms=800)
    world = World(seed, {"p/a": first, "p/b": second}).start()
    world.clock.run(DIES_MS)
    first.fault = fault
    world.clock.run(RETURNS_MS)
    first.fault = "none"
    world.clock.run(OVER_MS)

    def p50(from_ms: int, to_ms: int) -> float:
        return median(took_ms for began_ms, took_ms in world.first_tokens if from_ms <= began_ms < to_ms)

    own_ms = p50(DIES_MS + 40_000, RETURNS_MS)
    slow = [at_ms for at_ms in range(DIES_MS, RETURNS_MS, 1_000) if p50(at_ms, at_ms + WINDOW_MS) > 1.5 * own_ms]
    recovered_s = (
        max((at_ms for at_ms in slow if at_ms < DIES_MS + 30_000), default=DIES_MS - 1_000) - DIES_MS
    ) / 1_000 + 1
    called = sum(DIES_MS <= at_ms < RETURNS_MS for at_ms in first.called)
    back_ms = min(at_ms for at_ms, _, reason in world.told if reason == "released" and at_ms > RETURNS_MS)
    return recovered_s, called, (back_ms - RETURNS_MS) / 1_000


def failing(seed: int, *shares: float) -> tuple[float, float]:
    """(answers a second, calls for each), of a chain of models of which these shares of calls fail; once settled."""
    found = {f"p/{place}": Model(seed + place) for place in range(len(shares))}
    for model, share in zip(found.values(), shares, strict=True):
        model.fails = share
    world = World(seed, found).start()
    world.clock.run(END_MS)
    called = sum(at_ms >= SETTLED_MS for model in found.values() for at_ms in model.called)
    written = sum(at_ms >= SETTLED_MS for at_ms in world.finished)
    return written / ((END_MS - SETTLED_MS) / 1_000), called / written


def _columns(played: Callable[[int], tuple[float, ...]], digits: tuple[int, ...]) -> list[str]:
    runs = [played(seed) for seed in SEEDS]
    return [spread([run[column] for run in runs], places) for column, places in enumerate(digits)]


def main() -> None:
    """Print the tables."""
    table(
        "A 429 storm: four writers of 16 slots against one account, minutes 2 to 10",
        ("account", "allows a second", "accepted a second", "refused, share", "refused without spacing and plateau"),
        [
            (
                name,
                per_s,
                *_columns(lambda seed, dials=dials: storm(seed, dials, Policy()), (2, 3)),
                _columns(lambda seed, dials=dials: storm(seed, dials, BARE), (2, 3))[1],
            )
            for name, (dials, per_s) in ACCOUNTS.items()
        ],
    )
    table(
        "Second calls beside late ones (first tokens, ms)",
        ("tail", "hedge budget", "p50", "p99", "extra calls, share"),
        [
            (name, share, *_columns(lambda seed, s=share, t=shape: tail(seed, s, *t), (0, 0, 3)))
            for name, shape in {
                "3% come twelve times late": (0.03, 1.5),
                "lognormal, p99 = 10 x p50": (0.0, 10.0),
            }.items()
            for share in (0.0, 0.05)
        ],
    )
    faults: tuple[Fault, ...] = ("dead", "hangs")
    table(
        "One model dead for two minutes, the next of the chain slow (800 ms)",
        ("how", "recovered after s", "calls of it meanwhile, four writers", "back after s"),
        [(fault, *_columns(lambda seed, f=fault: dead(seed, f), (0, 0, 1))) for fault in faults],
        note="Recovered: the p50 of first tokens in the three seconds that follow is within 1.5 of the fallback's own, and stays there.",
    )

    table(
        "Models of which many calls fail",
        (
            "fail, share",
            "one: answers a second",
            "two that fail alike",
            "the second one well",
            "calls for each of these",
        ),
        [
            (
                share,
                _columns(lambda seed, s=share: failing(seed, s), (1, 1))[0],
                _columns(lambda seed, s=share: failing(seed, s, s), (1, 1))[0],
                *_columns(lambda seed, s=share: failing(seed, s, 0.0), (1, 1)),
            )
            for share in (0.0, 0.2, 0.4, 0.6, 0.8)
        ],
    )


if __name__ == "__main__":
    main()
