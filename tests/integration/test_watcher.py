"""The watcher as a process: real folders, a real HTTP server with its tempers, a real bus; and the gateway's side of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas import subjects
from schemas.document import Document
from schemas.events import (
    AnyFact,
    DocumentCreated,
    DocumentPaused,
    SourceAdded,
    SourceRemoved,
    SourceReplaced,
    decode_fact,
)
from schemas.values import SOURCES_MAX, Policy, SourceGiven
from schemas.watches import WATCHES_MAX, AddressWatched, FolderWatched, Watch, Watched, watch_id
from services.gateway.watch_routes import HOOKS_PER_MINUTE_MAX
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, append, read
from services.shared.opening import read_document
from services.shared.sources import SourceStore
from services.shared.watches import STREAM, Kept, WatchStore
from services.watcher import folders
from services.watcher.core import Stat
from tests.integration.conftest import BusFactory, NatsServer
from tests.integration.gateways import gateway_process
from tests.integration.test_fetch import ok, serving

DOCUMENT = "0123456789abcdef0123456789abcdef"
ALLOWED = '["127.0.0.0/8"]'
PATIENCE_S = 30.0
SCAN_MS = 50
FETCH_MS = 200


@asynccontextmanager
async def watcher(url: str, **named: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`python -m services.watcher`, with these folders."""
    environment = {
        **os.environ,
        "SCRIPTORIUM_BUS__URL": url,
        "SCRIPTORIUM_FETCH__ALLOWED_NETWORKS": ALLOWED,
        "SCRIPTORIUM_WATCHER__FOLDERS": json.dumps({name: str(folder) for name, folder in named.items()}),
        "SCRIPTORIUM_WATCHER__SCAN_MS": str(SCAN_MS),
        "SCRIPTORIUM_WATCHER__FETCH_MS": str(FETCH_MS),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.watcher", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"watcher ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def begin(bus: Bus, *sources: SourceGiven) -> None:
    """A document, and nobody who writes it."""
    await append(bus, DOCUMENT, DocumentCreated(at_ms=1, title="T", brief="B", policy=Policy(), sources=sources), 0)


async def watch(bus: Bus, what: Watched, name: str = "token") -> Watch:
    """From now on the document follows it."""
    made = Watch(id=watch_id(name), document=DOCUMENT, what=what, made_at_ms=now_ms(), nonce=name)
    await WatchStore(bus).make(made)
    return made


async def until(bus: Bus, holds: Callable[[Document], bool]) -> Document:
    """Wait until the document is so."""
    deadline = time.monotonic() + PATIENCE_S
    document = None
    while True:
        with contextlib.suppress(BusUnavailableError):  # It was asked just when the bus went.
            document = await read_document(bus, DOCUMENT)
        if document is not None and holds(document):
            return document
        assert time.monotonic() < deadline, document


async def until_kept(bus: Bus, watched: Watch, holds: Callable[[Watch], bool]) -> Watch:
    """Wait until the watch stands so."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        kept = await WatchStore(bus).named(watched.id)
        assert kept is not None
        if holds(kept.watch):
            return kept.watch
        assert time.monotonic() < deadline, kept.watch


async def facts(bus: Bus) -> list[AnyFact]:
    return [
        decode_fact(stored.data) async for stored in read(bus.client, subjects.FACTS, subjects.facts_stored(DOCUMENT))
    ]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def has(document: Document) -> dict[str, str]:
    """What the document has, by name."""
    return {source.given.name: source.given.digest for source in document.sources.values()}


def on_disk(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): digest(file.read_bytes())
        for file in folder.rglob("*.md")
        if not file.is_symlink() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    }


# -- Folders ------------------------------------------------------------------------------------------------------------


async def test_a_document_follows_a_folder_and_two_watchers_do_what_one_does(
    bus: BusFactory, nats_server: str, tmp_path: Path
) -> None:
    operator = await bus("operator")
    notes, secret = tmp_path / "notes", tmp_path / "secret.md"
    (notes / "sub").mkdir(parents=True)
    secret.write_text("nobody's business")
    (notes / "a.md").write_text("one")
    (notes / "sub/b.md").write_text("two")
    (notes / "c.txt").write_text("not wanted")
    (notes / ".hidden.md").write_text("hidden")
    (notes / "link.md").symlink_to(secret)
    (notes / "out").symlink_to(tmp_path)
    await begin(operator)
    what = FolderWatched(folder="notes", glob="**/*.md")
    watched = await watch(operator, what)
    async with watcher(nats_server, notes=notes), watcher(nats_server, notes=notes):
        document = await until(operator, lambda document: has(document) == on_disk(notes))
        assert set(has(document)) == {"a.md", "sub/b.md"}
        store = await SourceStore.open(operator)
        for source in document.sources.values():
            assert source.given.watch == watched.id
            kept = await store.get_bytes(DOCUMENT, source.given.id, source.given.digest)
            assert kept == (notes / source.given.name).read_bytes()

        # Nobody runs it any more: it is followed all the same.
        paused = DocumentPaused(at_ms=2, reason="stop_asked", asked_at_ms=2)
        await append(operator, DOCUMENT, paused)
        (notes / "a.md").write_text("one, and more")
        await until(operator, lambda document: has(document) == on_disk(notes))
        (notes / "sub/b.md").unlink()
        (notes / "d.md").write_text("four")
        await until(operator, lambda document: has(document) == on_disk(notes))
        shown = await until_kept(operator, watched, lambda kept: kept.state.files == 2 and kept.state.changed_at_ms > 0)
        assert shown.state.trouble == ""

        # Between the new text and the one before it: an editor that saves by putting a new file in the old one's place.
        saved = notes / "a.md.new"
        saved.write_text("a third text")
        saved.replace(notes / "a.md")
        await until(operator, lambda document: has(document) == on_disk(notes))

    edits = [fact for fact in await facts(operator) if isinstance(fact, SourceAdded | SourceReplaced | SourceRemoved)]
    assert [type(one).__name__ for one in edits].count("SourceAdded") == 3
    assert [type(one).__name__ for one in edits].count("SourceReplaced") == 2
    assert [type(one).__name__ for one in edits].count("SourceRemoved") == 1
    assert {(one.cause, one.who) for one in edits} == {("watcher", "notes")}
    # What lost the race was thrown away: of each version there are its bytes, and nothing else.
    objects = {stored.subject async for stored in read(operator.client, "OBJ_sources", "$O.sources.M.>")}
    assert len(objects) == 5


async def test_a_folder_that_cannot_be_read_takes_nothing_away(
    bus: BusFactory, nats_server: str, tmp_path: Path
) -> None:
    operator = await bus("operator")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("one")
    await begin(operator)
    watched = await watch(operator, FolderWatched(folder="notes"))
    unknown = await watch(operator, FolderWatched(folder="elsewhere"), "other")
    async with watcher(nats_server, notes=notes):
        await until(operator, lambda document: set(has(document)) == {"a.md"})
        notes.rename(tmp_path / "away")
        await until_kept(operator, watched, lambda kept: "cannot be read" in kept.state.trouble)
        document = await read_document(operator, DOCUMENT)
        assert document is not None
        assert set(has(document)) == {"a.md"}
        (tmp_path / "away").rename(notes)
        await until_kept(operator, watched, lambda kept: not kept.state.trouble)
        await until_kept(operator, unknown, lambda kept: "no folder of that name" in kept.state.trouble)
        # Ended: its sources stay, and it is followed no longer.
        await WatchStore(operator).end(DOCUMENT, watched.id)
        (notes / "b.md").write_text("two")
        again = await watch(operator, FolderWatched(folder="notes", glob="b.md"), "again")
        await until_kept(operator, again, lambda kept: kept.state.files == 1 and kept.state.changed_at_ms > 0)
        document = await read_document(operator, DOCUMENT)
        assert document is not None
        assert {source.given.watch for source in document.sources.values()} == {watched.id, again.id}


async def test_a_watcher_that_is_killed_and_a_bus_that_is_away_miss_nothing(
    bus: BusFactory, server: NatsServer, tmp_path: Path
) -> None:
    operator = await bus("operator")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("one")
    (notes / "gone.md").write_text("soon")
    text = [b"first"]
    await begin(operator)
    await watch(operator, FolderWatched(folder="notes"))
    async with serving(lambda _path, _headers: ok(text[0])) as address:
        watched = await watch(operator, AddressWatched(url=f"{address}/a.txt"), "address")

        def is_level(document: Document) -> bool:
            return has(document) == on_disk(notes) | {f"{address}/a.txt": digest(text[0])}

        async with watcher(server.url, notes=notes) as process:
            await until(operator, is_level)
            process.kill()
            await process.wait()
        # Nobody looks: a file changes, one goes, one comes, and somebody says that the address has something new.
        (notes / "a.md").write_text("two")
        (notes / "gone.md").unlink()
        (notes / "new.md").write_text("new")
        text[0] = b"second"
        told_at_ms = now_ms()
        await WatchStore(operator).tell(watched.id, told_at_ms)
        async with watcher(server.url, notes=notes):
            await until(operator, is_level)
            kept = await until_kept(operator, watched, lambda kept: kept.state.looked_at_ms >= told_at_ms)
            assert kept.state.looking_since_ms >= told_at_ms
            webhooks = [fact for fact in await facts(operator) if isinstance(fact, SourceReplaced)]
            assert {(fact.cause, fact.who) for fact in webhooks} == {
                ("watcher", "notes"),
                ("webhook", f"{address}/a.txt"),
            }
            server.kill()
            (notes / "a.md").write_text("three")
            server.start()
            await until(operator, is_level)
            # Heard of after the bus was away, too.
            (notes / "x").mkdir()
            (notes / "x/late.md").write_text("late")
            await until(operator, is_level)


def test_a_file_is_read_only_as_it_was_seen_and_never_through_a_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (root / "sub/a.md").write_text("mine")
    (outside / "a.md").write_text("mine")
    seen = folders.listing(root, "**")
    stat = seen["sub/a.md"]
    assert folders.content(root, "sub/a.md", stat) == b"mine"
    with pytest.raises(folders.ChangedError):
        folders.content(root, "sub/a.md", Stat(stat.size_bytes + 1, stat.changed_ns, stat.inode))
    # Exchanged between the look and the reading: the folder, and then the file itself, for a link.
    (root / "sub").rename(root / "was")
    (root / "sub").symlink_to(outside)
    theirs = (outside / "a.md").stat()
    with pytest.raises(folders.ChangedError):
        folders.content(root, "sub/a.md", Stat(theirs.st_size, theirs.st_mtime_ns, theirs.st_ino))
    (root / "link.md").symlink_to(outside / "a.md")
    with pytest.raises(folders.ChangedError):
        folders.content(root, "link.md", Stat(theirs.st_size, theirs.st_mtime_ns, theirs.st_ino))
    assert set(folders.listing(root, "**")) == {"was/a.md"}
    os.mkfifo(root / "pipe.md")
    assert set(folders.listing(root, "**")) == {"was/a.md"}
    with pytest.raises(folders.ChangedError):
        folders.content(root, "pipe.md", stat)
    with pytest.raises(folders.FolderError):
        folders.listing(root / "nowhere", "**")


# -- Addresses ----------------------------------------------------------------------------------------------------------


async def test_an_address_is_asked_by_version_and_obeyed_when_it_wants_patience(
    bus: BusFactory, nats_server: str
) -> None:
    operator = await bus("operator")
    asked: list[tuple[float, str]] = []
    now: dict[str, Any] = {"version": "1", "busy": False}

    def answer(_path: str, headers: dict[str, str]) -> bytes:
        asked.append((time.monotonic(), headers.get("if-none-match", "")))
        if now["busy"]:
            now["busy"] = False
            return ok(b"", "Retry-After: 2", status="503 Service Unavailable")
        tag = f'"{now["version"]}"'
        if headers.get("if-none-match") == tag:
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        return ok(f"version {now['version']}".encode(), f"ETag: {tag}")

    before = SourceGiven(id="s1", name="Mine", media_type="text/plain", size_bytes=3, digest=digest(b"old"))
    await begin(operator, before)
    async with serving(answer) as address, watcher(nats_server):
        watched = await watch(operator, AddressWatched(url=f"{address}/a.txt", source="s1"))
        document = await until(operator, lambda document: has(document) == {"Mine": digest(b"version 1")})
        assert document.sources["s1"].given.url == f"{address}/a.txt"
        await until_kept(operator, watched, lambda _: [tag for _, tag in asked].count('"1"') >= 2)
        replaced = [fact for fact in await facts(operator) if isinstance(fact, SourceReplaced)]
        assert len(replaced) == 1, "what is the same changes nothing"

        now.update(busy=True, version="2")
        await until_kept(operator, watched, lambda kept: "503" in kept.state.trouble)
        refused_at = asked[-1][0]
        # Somebody says that it changed: patience was asked for all the same.
        await operator.client.publish(subjects.source_changed(watched.id))
        await until(operator, lambda document: has(document) == {"Mine": digest(b"version 2")})
        assert asked[-1][0] - refused_at >= 2 or asked[-2][0] - refused_at >= 2
        assert not [at for at, _ in asked if refused_at < at < refused_at + 1.9]
        kept = await until_kept(operator, watched, lambda kept: not kept.state.trouble)
        assert kept.state.failures == 0


async def test_a_full_document_gets_no_more_sources_and_its_watch_says_so(bus: BusFactory, nats_server: str) -> None:
    operator = await bus("operator")
    full = [
        SourceGiven(id=f"s{n}", name=f"{n}", media_type="text/plain", size_bytes=1, digest=f"{n}")
        for n in range(1, SOURCES_MAX + 1)
    ]
    await begin(operator, *full)
    async with serving(lambda _path, _headers: ok(b"more")) as address, watcher(nats_server):
        watched = await watch(operator, AddressWatched(url=address))
        await until_kept(operator, watched, lambda kept: f"{SOURCES_MAX} sources" in kept.state.trouble)
    assert not [fact for fact in await facts(operator) if isinstance(fact, SourceAdded)]


# -- Over HTTP ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def owned(
    nats_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, allowed: str = "[]"
) -> AsyncGenerator[tuple[httpx2.AsyncClient, str, dict[str, str]]]:
    """A gateway that offers a folder, a document with the source `s1`, where its watches are, and the header with its key."""
    monkeypatch.setenv("SCRIPTORIUM_WATCHER__FOLDERS", json.dumps({"notes": str(folder)}))
    monkeypatch.setenv("SCRIPTORIUM_FETCH__ALLOWED_NETWORKS", allowed)
    async with gateway_process(nats_url, folder) as gateway:
        body = {"brief": "B", "sources": [{"name": "N", "text": "T"}]}
        made = (await gateway.client.post("/api/documents", json=body)).json()
        gateway.client.cookies.clear()
        yield gateway.client, f"/api/documents/{made['id']}/watches", {"Authorization": f"Bearer {made['key']}"}


async def test_a_watch_that_cannot_be_is_refused_by_name(
    bus: BusFactory, nats_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus("operator")
    asked: list[str] = []

    def answer(path: str, _headers: dict[str, str]) -> bytes:
        asked.append(path)
        return ok(b"secret")

    async with serving(answer) as address, owned(nats_server, tmp_path, monkeypatch) as (client, path, key):

        async def refused(status: int, says: str, headers: dict[str, str] = key, **body: Any) -> None:
            told = await client.post(path, json=body, headers=headers)
            assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json"), told.text
            assert says in told.text

        assert (await client.get("/api/folders")).json() == {"folders": ["notes"]}
        await refused(401, "key", {}, folder="notes")
        await refused(422, "/folder: There is no folder 'elsewhere'", folder="elsewhere")
        await refused(422, "/glob", folder="notes", glob="../**")
        await refused(422, "exactly one")
        await refused(422, "/url", url="ftp://example.org/")
        await refused(422, "/url: 127.0.0.1 is not on the public internet", url=f"{address}/a.txt")
        assert asked == []
        for number in range(WATCHES_MAX):
            told = await client.post(path, json={"folder": "notes", "glob": f"{number}.md"}, headers=key)
            assert told.status_code == 201, told.text
        await refused(409, "watched already", folder="notes", glob="1.md")
        await refused(422, f"{WATCHES_MAX} watches", folder="notes")
        for wrong in ("0" * 64, "short", "Z" * 64):
            assert (await client.post(f"/api/hooks/{wrong}")).status_code == 404


async def test_any_system_may_say_that_something_changed_by_an_address_that_is_its_own_secret(
    bus: BusFactory, nats_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await bus("operator")
    text = [b"first"]
    async with (
        serving(lambda _path, _headers: ok(text[0])) as address,
        owned(nats_server, tmp_path, monkeypatch, allowed=ALLOWED) as (client, path, key),
    ):
        told = await client.post(path, json={"url": f"{address}/a.txt", "source": "s1"}, headers=key)
        shown = told.json()
        assert (told.status_code, told.headers["location"]) == (201, f"{path}/{shown['id']}"), told.text
        source = f"{path.removesuffix('/watches')}/sources/s1"
        assert (await client.delete(source, headers=key)).status_code == 409
        assert (await client.put(source, json={"name": "N", "text": "mine"}, headers=key)).status_code == 409

        # In no answer without the key, nowhere in the bucket, and not the document's.
        token = shown["hook"].rsplit("/", 1)[1]
        assert shown["hook"] == f"{str(client.base_url).rstrip('/')}/api/hooks/{token}"
        assert (await client.get(path, headers=key)).json()["watches"][0]["hook"] == shown["hook"]
        assert (await client.get(path)).json()["watches"] == [{**shown, "hook": None}]
        values = [stored.data async for stored in read(operator.client, STREAM, subjects.kv(subjects.WATCHES))]
        assert not [value for value in values if token.encode() in value]
        assert token not in key["Authorization"]

        heard = await operator.client.subscribe(subjects.source_changed())
        await operator.client.flush()
        store = WatchStore(operator)
        async with watcher(nats_server):
            await until_looked(store, shown["id"], 0)
            text[0] = b"second"
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            told = await client.post(f"/api/hooks/{token}", content=b"\x00" * 5_000, headers=form)
            assert told.status_code == 202
            message = await heard.next_msg(timeout=PATIENCE_S)
            assert message.subject == subjects.source_changed(shown["id"])
            await until_looked(store, shown["id"], int(message.data))
            document = await read_document(operator, path.split("/")[3])
            assert document is not None
            assert document.sources["s1"].given.digest == digest(b"second")

        statuses = [(await client.post(f"/api/hooks/{token}")).status_code for _ in range(HOOKS_PER_MINUTE_MAX)]
        assert statuses == [202] * (HOOKS_PER_MINUTE_MAX - 1) + [429]
        limited = await client.post(f"/api/hooks/{token}")
        assert int(limited.headers["retry-after"]) >= 1

        assert (await client.delete(f"{path}/{shown['id']}", headers=key)).status_code == 204
        assert (await client.delete(f"{path}/{shown['id']}", headers=key)).status_code == 404
        left = [stored async for stored in read(operator.client, STREAM, subjects.kv(subjects.WATCHES))]
        assert left == [], "nothing of it stays, no marker either"
        assert (await client.delete(source, headers=key)).status_code == 200


async def until_looked(store: WatchStore, watched: str, at_ms: int) -> Kept:
    """Wait until somebody has looked since then, and has said so."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        kept = await store.named(watched)
        assert kept is not None
        state = kept.watch.state
        if state.looked_at_ms >= state.looking_since_ms >= max(at_ms, 1):
            return kept
        assert time.monotonic() < deadline, kept
