"""Single services on a bus of their own, where only one of them is to be measured; and what a process has used."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from services.shared.bus import Bus, connect
from services.shared.provision import provision
from services.shared.settings import BusSettings
from tests.integration.conftest import NatsServer

TICKS_A_S = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def bus_of_our_own(folder: Path) -> AsyncGenerator[tuple[str, Bus]]:
    """A nats-server with all streams: its address, and a connection that may do everything."""
    (folder / "nats").mkdir()
    server = NatsServer(folder / "nats")
    server.start()
    try:
        bus = await connect(BusSettings(url=server.url), "operator")
        await provision(bus)
        yield server.url, bus
        await bus.close()
    finally:
        server.kill()


def cpu_s(pid: int) -> float:
    """What a process has computed so far, seconds (`/proc/pid/stat`, in steps of 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S


def resident_mb(pid: int) -> float:
    """Its memory, megabytes."""
    return _status_mb(pid, "VmRSS")


def most_resident_mb(pid: int) -> float:
    """The most that it ever had."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) / 1_024 if found else 0.0
