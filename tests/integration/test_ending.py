"""A signal ends a service also while it waits for a bus that is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PATIENCE_S = 60
NOBODY = "nats://127.0.0.1:1"


@pytest.mark.parametrize(
    ("service", "number"),
    [
        *((name, signal.SIGTERM) for name in ("conductor", "gateway", "ingester", "planner", "watcher", "writer")),
        ("writer", signal.SIGINT),
    ],
)
def test_a_service_that_waits_for_the_bus_ends_at_once_and_without_a_word(service: str, number: signal.Signals) -> None:
    environment = {**os.environ, "SCRIPTORIUM_BUS__URL": NOBODY, "SCRIPTORIUM_GATEWAY__PORT": "0"}
    command = [sys.executable, "-m", f"services.{service}"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 -- our own module
        assert process.stderr is not None
        try:
            assert any("waiting for the bus" in line for line in process.stderr)
            process.send_signal(number)
            said = process.stderr.read()
            assert process.wait(PATIENCE_S) == 0
            assert "Traceback" not in said
        finally:
            process.kill()
