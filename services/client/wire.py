"""Requests and answers: bytes, Structs, and refusals. Everything else of the client speaks through this."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from services.client.problems import problem_of
from services.shared.sse import Blocks, ServerSentEvent, event_of

TIMEOUT_S = 30.0
"""Of a request, and of silence on a stream: the gateway sends a comment every 12 s."""
SNAPSHOT_BYTES_MAX = 256 * 1024**2
BAD_REQUEST = 400

T = TypeVar("T")
Query = Mapping[str, str | int | None]
Headers = Mapping[str, str | bytes]


class Wire:
    """One gateway. Raises Problem where a call is refused, httpx2.HTTPError where nobody answers."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        # No cookies: a key that one call was given is not sent along with the next.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx2.AsyncClient(base_url=self.address, trust_env=False, timeout=TIMEOUT_S, cookies=cookies)

    async def close(self) -> None:
        """Every connection."""
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | bytes | None = None,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
    ) -> httpx2.Response:
        """A Struct goes as JSON, bytes as they are."""
        content, media_type = _content(body)
        told = {name: value.encode() if isinstance(value, str) else value for name, value in (headers or {}).items()}
        if media_type is not None:
            told["Content-Type"] = media_type
        response = await self._http.request(
            method,
            _with_query(path, query),
            content=content,
            headers={name.encode(): value for name, value in told.items()},
        )
        if response.status_code >= BAD_REQUEST:
            raise problem_of(response.status_code, response.content)
        return response

    async def ask(  # noqa: PLR0913
        self,
        type_: type[T],
        method: str,
        path: str,
        body: msgspec.Struct | bytes | None = None,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
    ) -> T:
        """The answer, strictly as it is described."""
        response = await self.send(method, path, body, query=query, headers=headers)
        return msgspec.json.decode(response.content, type=type_)

    async def lines(self, path: str, query: Query | None = None) -> AsyncGenerator[str]:
        """An answer of many lines, as they come."""
        async with self._streamed(path, query, {}) as response:
            async for line in response.aiter_lines():
                if line:
                    yield line

    async def events(self, path: str, headers: Mapping[str, str]) -> AsyncGenerator[ServerSentEvent]:
        """One connection's events, as they come."""
        async with self._streamed(path, None, headers) as response:
            blocks = Blocks(SNAPSHOT_BYTES_MAX)
            async for data in response.aiter_bytes():
                for block in blocks.feed(data):
                    event = event_of(block)
                    if event is not None:
                        yield event

    @asynccontextmanager
    async def _streamed(
        self, path: str, query: Query | None, headers: Mapping[str, str]
    ) -> AsyncGenerator[httpx2.Response]:
        async with self._http.stream("GET", _with_query(path, query), headers=headers) as response:
            if response.status_code >= BAD_REQUEST:
                raise problem_of(response.status_code, await response.aread())
            yield response


def bearer(key: str | None) -> dict[str, str]:
    """The header that shows a document's key."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def segment(id_: str) -> str:
    """An id as a part of a path. ValueError for what would lead to another one."""
    if id_ in {"", ".", ".."}:
        msg = f"{id_!r} is no id"
        raise ValueError(msg)
    return quote(id_, safe=":")


def _content(body: msgspec.Struct | bytes | None) -> tuple[bytes | None, bytes | None]:
    match body:
        case None:
            return None, None
        case bytes():
            return body, b"application/octet-stream"
        case _:
            return msgspec.json.encode(body), b"application/json"


def _with_query(path: str, query: Query | None) -> str:
    given = {name: str(value) for name, value in (query or {}).items() if value is not None}
    return f"{path}?{httpx2.QueryParams(given)}" if given else path
