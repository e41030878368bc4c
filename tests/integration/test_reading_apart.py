"""Reading a source in a process of its own, which may hang or crash."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from services.ingester.apart import read_apart
from services.ingester.reading import Given, Read, Unreadable
from tests.unit.pdfs import pdf

GIVEN = Given(source="s1", name="a.pdf", media_type="application/pdf", data=pdf([["Words of a page."]]))


SERVICE = """
import asyncio, sys
from services.ingester.apart import read_apart
from tests.integration.test_reading_apart import GIVEN

sys.executable = sys.argv[1]
asyncio.run(read_apart(GIVEN))
"""


def children(parent: int | str = "self") -> set[int]:
    tasks = Path(f"/proc/{parent}/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


async def child_since(before: set[int], parent: int | str = "self") -> int:
    async with asyncio.timeout(5):
        while not (started := children(parent) - before):  # noqa: ASYNC110 -- the kernel tells nobody
            await asyncio.sleep(0)
    return started.pop()


async def test_a_source_is_read_by_another_process() -> None:
    outcome = await read_apart(GIVEN)
    assert isinstance(outcome, Read)
    assert outcome.passages.text == "Words of a page."


async def test_a_parser_that_crashes_is_an_unreadable_source() -> None:
    before = children()
    reading = asyncio.create_task(read_apart(GIVEN))
    os.kill(await child_since(before), signal.SIGSEGV)
    assert await reading == Unreadable(message="It is damaged in a way that the reader does not survive.")


async def test_a_parser_that_hangs_is_ended() -> None:
    before = children()
    reading = asyncio.create_task(read_apart(GIVEN, limit_s=0.5))
    child = await child_since(before)
    os.kill(child, signal.SIGSTOP)
    assert await reading == Unreadable(message="Reading it took longer than 0.5 s.")
    assert child not in children()


async def test_a_reader_that_is_not_wanted_any_more_is_ended() -> None:
    before = children()
    reading = asyncio.create_task(read_apart(GIVEN))
    child = await child_since(before)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    assert child not in children()


async def test_a_reader_ends_with_a_service_that_was_killed(tmp_path: Path) -> None:
    endless = tmp_path / "parser"
    endless.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    endless.chmod(0o700)
    service = subprocess.Popen([sys.executable, "-c", SERVICE, str(endless)])  # noqa: ASYNC220, S603 -- our own program
    child = await child_since(set(), service.pid)
    end = os.pidfd_open(child)
    service.kill()
    service.wait()
    assert select.select([end], [], [], 5)[0], "it outlived the service"
    os.close(end)
