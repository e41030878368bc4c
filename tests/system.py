"""The whole system, as a user starts it: `scriptorium up` on free ports with a folder of its own, ended by its id."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import msgspec
from pydantic import SecretStr

from schemas import document as documents
from schemas import subjects
from schemas.document import Document, Done
from schemas.events import AnyFact, TextAppended, decode_event, decode_fact
from schemas.fold import fold, fold_ink
from schemas.passages import Passages
from services.shared.bus import Bus, connect
from services.shared.log import read
from services.shared.settings import BusSettings
from services.shared.sources import SourceStore

READY_S = 90.0
SAID_S = 30.0
END_S = 15.0
POLL_S = 0.1
OK = 200
CREATED = 201
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class System:
    """A running `scriptorium up`: the gateway's address, the simulator's, and the processes behind them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        """All that it said."""
        self._said = threading.Condition()
        # It is read to its end: a pipe that nobody empties stops whoever writes into it.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._hear(line.rstrip("\n"))
        self._hear(None)

    def _hear(self, line: str | None) -> None:
        with self._said:
            self.lines += [] if line is None else [line]
            self._said.notify_all()

    @property
    def _over(self) -> bool:
        return not self._reader.is_alive() or self.process.poll() is not None

    def until_said(self, *wanted: str, after: int = 0, seconds: float = SAID_S) -> None:
        """Wait until each of these stands in a line from number `after` on."""

        def is_said() -> bool:
            return all(any(words in line for line in self.lines[after:]) for words in wanted)

        with self._said:
            assert self._said.wait_for(is_said, seconds), f"{wanted} not in: {self.lines[after:]}"

    def until_ready(self) -> None:
        """Wait until a document could be written."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and not self._over:
            with contextlib.suppress(httpx2.HTTPError, AssertionError):
                if httpx2.get(f"{self.gateway}/readyz", timeout=5, trust_env=False).status_code == OK:
                    return
            with self._said:
                self._said.wait(POLL_S)
        raise AssertionError("scriptorium up did not come up:\n" + "\n".join(self.lines))

    def end(self) -> None:
        """Ctrl-C, and wait until it is gone."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(END_S)

    def _address(self, word: str) -> str:
        for line in reversed(self.lines):
            found = ADDRESS.search(line)
            if word in line.casefold() and found:
                return found[0]
        msg = f"no address of the {word} in: {self.lines}"
        raise AssertionError(msg)

    @property
    def gateway(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._address("gateway")

    @property
    def simulator(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._address("simulator")

    def pids(self, service: str) -> list[int]:
        """The processes of one service (or `nats-server`) that this system started."""
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                wanted = service if service == "nats-server" else f"services.{service}"
                if wanted in command and self._is_mine(int(folder.name)):
                    found.append(int(folder.name))
        return sorted(found)

    def _is_mine(self, pid: int) -> bool:
        while pid > 1:
            if pid == self.process.pid:
                return True
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            found = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
            pid = int(found[1]) if found else 0
        return False

    def kill(self, service: str, number: int = 0, with_signal: int = signal.SIGKILL) -> int:
        """Send a signal to one process of a service; returns its id."""
        pid = self.pids(service)[number]
        os.kill(pid, with_signal)
        return pid

    def environment(self, service: str) -> dict[str, str]:
        """What a service of this system was told by its environment; its password on the bus is in it."""
        told = Path(f"/proc/{self.pids(service)[0]}/environ").read_bytes().decode().split("\0")
        return dict(line.split("=", 1) for line in told if line)

    @contextlib.contextmanager
    def another_gateway(self) -> Generator[Gateway]:
        """One more gateway on the same bus; nobody starts it again when it dies."""
        command = [sys.executable, "-m", "services.gateway", "--host", "127.0.0.1", "--port", "0"]
        with subprocess.Popen(  # noqa: S603 -- our own program
            command, stdout=subprocess.PIPE, text=True, env=self.environment("gateway")
        ) as process:
            try:
                assert process.stdout is not None
                found = ADDRESS.search(process.stdout.readline())
                assert found is not None
                yield Gateway(process, found[0])
            finally:
                process.terminate()
                process.wait(END_S)

    @contextlib.asynccontextmanager
    async def bus(self) -> AsyncGenerator[Bus]:
        """Connected as the gateway is, with what it may do."""
        told = self.environment("gateway")
        password = SecretStr(told["SCRIPTORIUM_BUS__PASSWORD"])
        bus = await connect(BusSettings(url=told["SCRIPTORIUM_BUS__URL"], password=password), "gateway")
        try:
            yield bus
        finally:
            await bus.close()

    async def log(self, document: str) -> list[tuple[int, AnyFact]]:
        """A document's facts, each with its sequence."""
        async with self.bus() as bus:
            stored = read(bus.client, subjects.FACTS, subjects.facts_stored(document))
            return [(one.sequence, decode_fact(one.data)) async for one in stored]

    async def facts(self, document: str) -> list[AnyFact]:
        """A document's facts."""
        return [fact for _, fact in await self.log(document)]

    async def passages(self, document: str, source: str, digest: str) -> Passages:
        """A source as it was read; `digest` is its bytes'."""
        async with self.bus() as bus:
            found = await (await SourceStore.open(bus)).get_passages(document, source, digest)
            assert found is not None, source
            return found


class Gateway(NamedTuple):
    """One that stands beside the system's own."""

    process: subprocess.Popen[str]
    address: str


@contextlib.contextmanager
def running(data: Path, *arguments: str, environment: dict[str, str] | None = None) -> Generator[System]:
    """Start it, wait until it says where it is, and end it with SIGINT."""
    command = [sys.executable, "-m", "services.cli", "up", "--port", "0", "--data", str(data), *arguments]
    process = subprocess.Popen(  # noqa: S603 -- our own program
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
    )
    system = System(process)
    try:
        system.until_ready()
        yield system
    finally:
        system.end()


class Viewer:
    """One reader of one document: an SSE connection that can drop and come back, and the fold of what came."""

    def __init__(self, client: httpx2.AsyncClient, document: str) -> None:
        self.client = client
        self.id = document
        self.document: Document | None = None
        self.last_id: str | None = None
        self.seen = 0

    async def events(self) -> AsyncGenerator[tuple[str, str]]:
        """(type, data) of each event, folded in as it comes; leaving the loop closes the connection."""
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        url = f"/api/documents/{self.id}/events"
        async with self.client.stream("GET", url, headers=headers, timeout=None) as response:
            assert response.status_code == OK
            type_, data, id_ = "", "", None
            async for line in response.aiter_lines():
                match line.partition(":")[::2]:
                    case ("event", value):
                        type_ = value.removeprefix(" ")
                    case ("data", value):
                        data = value.removeprefix(" ")
                    case ("id", value):
                        id_ = value.removeprefix(" ")
                    case ("", _) if not line and data:
                        self._take(type_, data, id_)
                        yield type_, data
                        type_, data, id_ = "", "", None
                    case _:
                        pass

    def _take(self, type_: str, data: str, id_: str | None) -> None:
        self.seen += 1
        self.last_id = id_ or self.last_id
        if type_ == "snapshot":
            self.document = documents.decode(data)
        elif type_ != "CaughtUp" and self.document is not None:
            event = decode_event(data)
            if isinstance(event, TextAppended):
                self.document = fold_ink(self.document, event)
            else:
                assert self.last_id is not None
                self.document = fold(self.document, event, int(self.last_id.split("-")[1]))

    @property
    def over(self) -> bool:
        """Whether the document has come to its end."""
        return self.document is not None and isinstance(self.document.run, Done)

    async def until(self, *types: str) -> str:
        """Watch until an event of one of these types; returns its data."""
        async for type_, data in self.events():
            if type_ in types or (self.over and "DocumentCompleted" in types):
                return data  # A snapshot may say that it is over, and then no event does.
        msg = f"the stream ended before any of {types}"
        raise AssertionError(msg)


async def create(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    """POST a document; the answer."""
    response = await client.post("/api/documents", content=msgspec.json.encode(body), headers=_JSON)
    assert response.status_code == CREATED, response.text
    return response.json()


_JSON = {"Content-Type": "application/json"}


def sections(number: int, *, summary: bool = True) -> dict[str, Any]:
    """An outline of so many sections, the last one of which sums up the others."""
    ids = [f"part-{n}" for n in range(1, number + (0 if summary else 1))]
    outline: list[dict[str, Any]] = [
        {"id": id_, "heading": f"Part {n}", "instructions": f"Say what the sources say about point {n}."}
        for n, id_ in enumerate(ids, 1)
    ]
    if summary:
        outline.append({"id": "summary", "heading": "Summary", "instructions": "Sum up.", "depends_on": ids})
    return {"sections": outline}
