"""Run the benches that are named, or all that are quick: `python -m bench [NAME …]`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable

from bench import (
    edits,
    fan_out,
    faults,
    gate,
    hedging,
    main_job,
    model_client,
    opening,
    outage,
    page,
    stops,
    storm,
    streams,
)

BENCHES: dict[str, Callable[[], None]] = {
    "model_client": model_client.main,
    "main_job": main_job.main,
    "edits": edits.main,
    "stops": stops.main,
    "streams": streams.main,
    "hedging": hedging.main,
    "fan_out": fan_out.main,
    "gate": gate.main,
    "opening": opening.main,
    "page": page.main,
}
LONG: dict[str, Callable[[], None]] = {"faults": faults.main, "outage": outage.main, "storm": storm.main}
"""They take a minute and more, and run when they are named."""


def main(names: list[str]) -> int:
    """2 where a name is none."""
    unknown = [name for name in names if name not in {**BENCHES, **LONG}]
    if unknown:
        print(f"There is no bench {unknown[0]!r}. There are: {', '.join({**BENCHES, **LONG})}", file=sys.stderr)
        return 2
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load before {load}", flush=True)
    for name in names or BENCHES:
        {**BENCHES, **LONG}[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
