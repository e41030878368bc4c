"""A simulator as a process of its own, for tests that talk to it over HTTP."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator

END_S = 10.0


@contextlib.contextmanager
def simulator(*arguments: str, environment: dict[str, str] | None = None) -> Generator[str]:
    """Start one on a free port, yield its address, and end it."""
    command = [sys.executable, "-m", "services.simulator", "--host", "127.0.0.1", "--port", "0", *arguments]
    env = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:  # noqa: S603 -- our own
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            begin = "simulator listening on "
            assert line.startswith(begin), f"it said {line!r}"
            yield line.removeprefix(begin).strip()
        finally:
            process.terminate()
            process.wait(END_S)
