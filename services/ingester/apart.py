"""Reads a source in a process of its own: `python -m services.ingester.apart`, source on stdin, outcome on stdout.

PDF and HTML are parsed in C, and a hostile file may hang a parser or crash it. Here it takes nothing with it: the service
sees the process end, or ends it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from functools import partial

from services.ingester.limits import EXTRACT_BYTES_MAX, EXTRACT_S
from services.ingester.reading import (
    Given,
    Outcome,
    Unreadable,
    decode_given,
    decode_outcome,
    encode_given,
    encode_outcome,
    read,
)
from services.shared.lineage import die_with

log = logging.getLogger(__name__)

END_MARGIN_S = 5
"""By which the process ends itself later than it would be ended, should it outlive the service after all."""
COMPLAINT_CHARACTERS = 500


async def read_apart(given: Given, limit_s: float = EXTRACT_S) -> Outcome:
    """Read one source; a parser that hangs or crashes is an Unreadable source like any other."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingester.apart",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the service, which then decides.
        preexec_fn=partial(die_with, os.getpid()),
    )
    try:
        async with asyncio.timeout(limit_s):
            answer, complaint = await process.communicate(encode_given(given))
    except TimeoutError:
        return Unreadable(message=f"Reading it took longer than {limit_s:g} s.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        log.warning("reader of %s: exit %s: %s", given.name, process.returncode, complaint[-COMPLAINT_CHARACTERS:])
        return Unreadable(message="It is damaged in a way that the reader does not survive.")
    return decode_outcome(answer)


def main() -> None:
    """Read stdin, write stdout, within limits."""
    seconds = int(EXTRACT_S) + END_MARGIN_S
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (EXTRACT_BYTES_MAX, EXTRACT_BYTES_MAX))
    signal.alarm(seconds)
    outcome = read(decode_given(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(encode_outcome(outcome))


if __name__ == "__main__":
    main()
