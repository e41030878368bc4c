"""The ingester as a process, on a real bus."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas import jobs, subjects
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import DocumentCreated, DocumentPaused, SourceFailed
from schemas.jobs import IngestSource
from schemas.values import Policy, SourceGiven
from services.shared.bus import Bus, connect
from services.shared.log import append, read
from services.shared.provision import provision
from services.shared.settings import BusSettings
from services.shared.sources import SourceStore
from services.shared.tail import DocumentTail
from services.shared.work import DELIVERIES_MAX
from tests.integration.conftest import BINARY, BusFactory, NatsServer

DOCUMENT = "0123456789abcdef0123456789abcdef"
NOW_MS = 1_700_000_000_000
MARKDOWN = b"# Leases\n\nA lease is a key that expires unless it is renewed.\n\n## Grace\n\nA reload cancels nothing.\n"


@asynccontextmanager
async def ingester(url: str, password: str | None = None) -> AsyncGenerator[asyncio.subprocess.Process]:
    secret = {} if password is None else {"SCRIPTORIUM_BUS__PASSWORD": password}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingester",
        env={**os.environ, "SCRIPTORIUM_BUS__URL": url, **secret},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"ingester ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def begin(bus: Bus, *given: tuple[str, str, str, bytes]) -> None:
    """A document with sources `(id, name, media type, bytes)`, and the jobs to read them."""
    store = await SourceStore.open(bus)
    for id_, _, _, data in given:
        await store.put_bytes(DOCUMENT, id_, "", data)
    sources = tuple(
        SourceGiven(id=id_, name=name, media_type=media_type, size_bytes=len(data), digest="")
        for id_, name, media_type, data in given
    )
    policy = Policy()
    created = DocumentCreated(at_ms=NOW_MS, title="T", brief="B", policy=policy, sources=sources)
    await append(bus, DOCUMENT, created, expected=0)
    for id_, *_ in given:
        await ask(bus, id_)


async def ask(bus: Bus, source: str) -> None:
    job = IngestSource(document=DOCUMENT, lane="interactive", deadline_ms=NOW_MS + 60_000, source=source)
    await bus.js.publish(subjects.job("interactive", "ingest", DOCUMENT, source), jobs.encode(job))


async def until_read(bus: Bus) -> Document:
    """Wait until every source was read or given up."""
    tail = DocumentTail(bus, DOCUMENT)
    moved = asyncio.Event()
    tail.listen(lambda _: moved.set())
    await tail.start()
    try:
        async with asyncio.timeout(30):
            while True:
                document = tail.document
                assert document is not None
                if all(source.digest or source.failure for source in document.sources.values()):
                    return document
                moved.clear()
                await moved.wait()
    finally:
        await tail.stop()


async def queue_empty(bus: Bus) -> None:
    async with asyncio.timeout(10):
        while (await bus.js.stream_info(subjects.JOBS)).state.messages:  # noqa: ASYNC110 -- a stream tells nobody
            await asyncio.sleep(0.02)


async def test_sources_of_every_kind_become_passages(nats_server: str, bus: BusFactory) -> None:
    made = await bus("operator")
    html = (
        b"<html><body><nav>Menu</nav><article><h1>Title</h1><p>"
        + b"A paragraph of a page. " * 30
        + b"</p></article></body></html>"
    )
    await begin(
        made,
        ("s1", "leases.md", "text/markdown", MARKDOWN),
        ("s2", "notes.txt", "text/plain", "Grüße.\n\nZweiter Absatz.".encode("latin-1")),
        ("s3", "page.html", "text/html", html),
    )
    async with ingester(nats_server):
        document = await until_read(made)
    assert [source.failure for source in document.sources.values()] == [None, None, None]
    store = await SourceStore.open(made)
    found = await store.get_passages(DOCUMENT, "s1", "")
    assert found is not None
    assert found.text == MARKDOWN.decode()
    assert found.digest == document.sources["s1"].digest == text_digest(MARKDOWN.decode())
    assert [passage.heading for passage in found.passages] == ["Leases", "Grace"]
    assert document.sources["s1"].passages == 2
    notes = await store.get_passages(DOCUMENT, "s2", "")
    assert notes is not None
    assert notes.text.startswith("Grüße.")
    page = await store.get_passages(DOCUMENT, "s3", "")
    assert page is not None
    assert "Menu" not in page.text
    assert "A paragraph of a page." in page.text


async def test_a_source_that_cannot_be_read_says_why_and_stops_no_other(nats_server: str, bus: BusFactory) -> None:
    made = await bus("operator")
    await begin(
        made,
        ("s1", "empty.txt", "text/plain", b" "),
        ("s2", "broken.pdf", "application/pdf", b"%PDF-1.7\n" + b"\xff\x00" * 500),
        ("s3", "photo.txt", "text/plain", b"\x89PNG\r\n\x1a\n"),
        ("s4", "leases.md", "text/markdown", MARKDOWN),
    )
    async with ingester(nats_server):
        document = await until_read(made)
    failures = {id_: source.failure for id_, source in document.sources.items()}
    assert failures == {
        "s1": "It is empty.",
        "s2": "It is a damaged PDF.",
        "s3": "It is a PNG image; text, Markdown, HTML and PDF can be read.",
        "s4": None,
    }


async def test_a_source_is_read_once_and_a_paused_document_is_read_too(nats_server: str, bus: BusFactory) -> None:
    made = await bus("operator")
    await begin(made, ("s1", "leases.md", "text/markdown", MARKDOWN))
    await append(made, DOCUMENT, DocumentPaused(at_ms=NOW_MS + 1, reason="stop_asked", asked_at_ms=NOW_MS + 1))
    await ask(made, "s1")
    await ask(made, "unknown")
    async with ingester(nats_server):
        await until_read(made)
        await queue_empty(made)
    stored = [item.data async for item in read(made.client, subjects.FACTS, subjects.facts_stored(DOCUMENT))]
    assert sum(b'"SourceIngested"' in data for data in stored) == 1


async def test_a_job_that_killed_its_ingesters_is_buried(nats_server: str, bus: BusFactory) -> None:
    made = await bus("operator")
    await begin(made, ("s1", "leases.md", "text/markdown", MARKDOWN))
    async with ingester(nats_server) as process:  # Makes the consumer.
        await queue_empty(made)
        process.kill()
        await process.wait()
    other = SourceGiven(id="s1", name="x.md", media_type="text/markdown", size_bytes=1, digest="")
    document = "f" * 32
    created = DocumentCreated(at_ms=NOW_MS, title="T", brief="B", policy=Policy(), sources=(other,))
    await append(made, document, created, expected=0)
    job = IngestSource(document=document, lane="interactive", deadline_ms=NOW_MS + 60_000, source="s1")
    await made.js.publish(subjects.job("interactive", "ingest", document, "s1"), jobs.encode(job))
    taker = await made.js.pull_subscribe_bind("ingester", subjects.JOBS)
    for _ in range(DELIVERIES_MAX):
        (message,) = await taker.fetch(1)
        await message.nak()
    tail = DocumentTail(made, document)
    failed = asyncio.Event()
    tail.listen(lambda fact: failed.set() if isinstance(fact, SourceFailed) else None)
    await tail.start()
    async with ingester(nats_server):
        async with asyncio.timeout(20):
            await failed.wait()
        await queue_empty(made)
    await tail.stop()
    assert tail.document is not None
    assert tail.document.sources["s1"].failure == "Reading it failed again and again."
    dead = await made.js.get_last_msg(subjects.DEAD, subjects.dead_job("ingest", document, "s1"))
    assert dead.data == jobs.encode(job)


async def test_it_goes_on_after_the_bus_was_killed(server: NatsServer, bus: BusFactory) -> None:
    made = await bus("operator")
    async with ingester(server.url):
        back = asyncio.Event()

        async def reconnected() -> None:
            back.set()

        made.on_reconnected(reconnected)
        server.kill()
        server.start()
        async with asyncio.timeout(10):
            await back.wait()
        await provision(made)
        await begin(made, ("s1", "leases.md", "text/markdown", MARKDOWN))
        document = await until_read(made)
    assert document.sources["s1"].digest


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_when_it_is_told_to(nats_server: str, bus: BusFactory, how: signal.Signals) -> None:
    await bus("operator")
    async with ingester(nats_server) as process:
        process.send_signal(how)
        async with asyncio.timeout(10):
            await process.wait()
        assert process.returncode == 0


async def test_it_needs_no_more_than_its_own_permissions(tmp_path: Path) -> None:
    users: tuple[subjects.ServiceName, ...] = ("operator", "ingester")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    config = tmp_path / "nats.conf"
    written = {
        "listen": f"127.0.0.1:{port}",
        "jetstream": {"store_dir": str(tmp_path / "store")},
        "authorization": {
            "users": [{"user": user, "password": "secret", "permissions": subjects.permissions(user)} for user in users]
        },
    }
    config.write_text(json.dumps(written))
    server = await asyncio.create_subprocess_exec(
        str(BINARY), "--config", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    url = f"nats://127.0.0.1:{port}"
    made = await connect(BusSettings(url=url, password=SecretStr("secret")), "operator")
    try:
        await provision(made)
        page = f"<html><body><article><p>{'Words of a page. ' * 20}</p></article></body></html>".encode()
        await begin(made, ("s1", "leases.md", "text/markdown", MARKDOWN), ("s2", "a.html", "text/html", page))
        async with ingester(url, "secret"):
            document = await until_read(made)
            await queue_empty(made)
        assert all(source.digest for source in document.sources.values())
    finally:
        await made.close()
        server.kill()
        await server.wait()
