"""Sources fetched over real HTTP from a server of the test's own, which has to be allowed by name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.shared.fetching import fetch as module
from services.shared.fetching.addresses import networks
from services.shared.fetching.fetch import Fetcher, FetchError, Validators, retry_after

Answer = Callable[[str, dict[str, str]], bytes | Awaitable[bytes]]
LOOPBACK = networks(("127.0.0.0/8",))


@asynccontextmanager
async def serving(answer: Answer) -> AsyncGenerator[str]:
    """A server that says whatever the test wants, to the byte; its address."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            said = answer(head[0].split()[1], headers)
            writer.write(said if isinstance(said, bytes) else await said)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/plain; charset=utf-8", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_a_source_comes_with_what_tells_its_version() -> None:
    asked: list[dict[str, str]] = []

    def answer(_path: str, headers: dict[str, str]) -> bytes:
        asked.append(headers)
        if headers.get("if-none-match") == '"1"':
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        return ok(b"words", 'ETag: "1"', "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT")

    async with serving(answer) as address:
        fetcher = Fetcher(LOOPBACK)
        fetched = await fetcher.fetch(f"{address}/a.txt")
        assert fetched is not None
        assert (fetched.data, fetched.media_type) == (b"words", "text/plain")
        assert fetched.validators == Validators(etag='"1"', last_modified="Wed, 01 Jan 2025 00:00:00 GMT")
        assert await fetcher.fetch(f"{address}/a.txt", fetched.validators) is None
    assert asked[0]["host"] == address.removeprefix("http://")
    assert asked[1]["if-modified-since"] == "Wed, 01 Jan 2025 00:00:00 GMT"
    assert not {"cookie", "authorization", "referer"} & {*asked[0]}


async def test_this_machine_is_not_asked_unless_it_is_allowed() -> None:
    asked: list[str] = []

    def answer(path: str, _headers: dict[str, str]) -> bytes:
        asked.append(path)
        return ok(b"secret")

    async with serving(answer) as address:
        port = address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "[::1]", "0", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"):
            with pytest.raises(FetchError):
                await Fetcher().fetch(f"http://{host}:{port}/")
    assert asked == []


async def test_a_redirect_is_looked_at_like_an_address_that_was_given() -> None:
    async with serving(lambda _path, _headers: ok(b"secret")) as inner:
        asked: list[str] = []
        port = inner.rpartition(":")[2]

        def answer(path: str, _headers: dict[str, str]) -> bytes:
            asked.append(path)
            there = {
                "/rel": "/words",
                "/loop": "/loop",
                "/file": "file:///etc/passwd",
                "/in": f"http://127.0.0.2:{port}/",
            }
            return ok(b"words") if path == "/words" else ok(b"", f"Location: {there[path]}", status="302 Found")

        async with serving(answer) as address:
            fetcher = Fetcher(networks(("127.0.0.1/32",)))
            fetched = await fetcher.fetch(f"{address}/rel")
            assert fetched is not None
            assert fetched.url == f"{address}/words"
            for path, why in (("/in", "public"), ("/file", "http"), ("/loop", "redirects")):
                with pytest.raises(FetchError, match=why):
                    await fetcher.fetch(f"{address}{path}")
        assert asked.count("/loop") == module.REDIRECTS_MAX + 1


async def test_a_name_is_resolved_once_and_means_then_what_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]]

    async def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    with pytest.raises(FetchError, match="public"):
        await Fetcher().fetch("http://rebound.example/")
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ok(b"", status="404 Not Found"), "404"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\nx", "image/png"),
        (ok(b"x", "Content-Encoding: gzip"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: text/plain\r\n\r\nx", "does not answer"),
        (b"what?\r\n\r\n", "does not answer"),
    ],
)
async def test_what_is_not_to_be_had_says_why(answer: bytes, why: str) -> None:
    async with serving(lambda _path, _headers: answer) as address:
        with pytest.raises(FetchError, match=why):
            await Fetcher(LOOPBACK).fetch(address)


async def test_a_source_that_never_ends_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOURCE_BYTES_MAX", 1_000)
    async with serving(lambda _path, _headers: ok(b"x" * 1_001)) as address:
        with pytest.raises(FetchError, match="more than 1000 bytes"):
            await Fetcher(LOOPBACK).fetch(address)
    monkeypatch.setattr(module, "FETCH_S", 0.2)
    never = asyncio.Event()

    async def silent() -> bytes:
        await never.wait()
        return b""

    async with serving(lambda _path, _headers: silent()) as address:
        with pytest.raises(FetchError, match="longer than"):
            await Fetcher(LOOPBACK).fetch(address)
        never.set()


@pytest.mark.parametrize(
    "url", ["ftp://e.org/", "http://", "file:///etc/passwd", "http://u:p@e.org/", "//e.org", "http://ü.org/"]
)
async def test_what_is_no_address_of_the_web_is_not_asked(url: str) -> None:
    with pytest.raises(FetchError):
        await Fetcher(LOOPBACK).fetch(url)


def test_a_server_may_ask_for_patience() -> None:
    assert retry_after("7") == 7_000
    assert retry_after("99999999") == module.RETRY_AFTER_S_MAX * 1_000
    assert retry_after("Wed, 01 Jan 2020 00:00:00 GMT") == 0
    assert retry_after("soon") is None
