"""Fetches a source from the web: public addresses only, few redirects, and no more bytes and time than a source may have.

A name is resolved once for a connection, each of its addresses is looked at, and the connection is made to one that was looked
at: a name that means another address a moment later (DNS rebinding) gains nothing. TLS still proves the name. Each redirect is a
request like the first. No proxy, no cookies, no credentials.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore2
import msgspec
from httpcore2 import AnyIOBackend, AsyncConnectionPool, AsyncNetworkBackend, AsyncNetworkStream

from schemas.values import SOURCE_BYTES_MAX
from services.shared.clock import now_ms
from services.shared.fetching.addresses import Network, may_be_asked

FETCH_S: Final = 30.0
CONNECT_S: Final = 5.0
SILENCE_S: Final = 10.0
REDIRECTS_MAX: Final = 5
RETRY_AFTER_S_MAX: Final = 86_400
MEDIA_TYPES: Final = frozenset(
    ["application/pdf", "application/xhtml+xml", "application/json", "application/xml", "application/octet-stream", ""]
)
"""Beside all of `text/`. What it really is, the ingester finds out."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
TOO_MANY: Final = 429


class FetchError(Exception):
    """Why a source is not to be had: a sentence for the reader."""

    def __init__(self, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms
        """As the server asked."""


class Validators(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said of a version, to ask whether it is still the newest (RFC 9110 §13.1)."""

    etag: str = ""
    last_modified: str = ""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A version. `url` is where it was in the end."""

    url: str
    data: bytes
    media_type: str
    validators: Validators


class _PublicOnly(AsyncNetworkBackend):
    """Connects to an address that was looked at."""

    def __init__(self, allowed: tuple[Network, ...]) -> None:
        self._allowed = allowed
        self._backend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        addresses = await _addresses(host, port, self._allowed)
        error: Exception | None = None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error or httpcore2.ConnectError(host)

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks between its tries."""
        await asyncio.sleep(seconds)


async def _addresses(host: str, port: int, allowed: tuple[Network, ...]) -> list[str]:
    """What a name means now. FetchError where that is not to be asked, gaierror where it means nothing."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    refused = [address for address in addresses if not may_be_asked(address, allowed)]
    if refused or not addresses:
        # One private address among public ones is how rebinding begins: then none is asked.
        msg = f"{host} is not on the public internet"
        raise FetchError(msg)
    return addresses


class Fetcher:
    """Any number of fetches; connections are not kept."""

    def __init__(self, allowed: tuple[Network, ...] = ()) -> None:
        self._allowed = allowed
        self._tls = ssl.create_default_context()

    async def check(self, url: str) -> None:
        """FetchError where this address would not be asked at all. Nothing is asked of it yet."""
        checked(url)
        parts = urlsplit(url)
        try:
            async with asyncio.timeout(CONNECT_S):
                await _addresses(
                    parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), self._allowed
                )
        except TimeoutError:
            return  # Whoever fetches it will say so.
        except socket.gaierror:
            msg = f"There is no {parts.hostname}."
            raise FetchError(msg) from None

    async def fetch(self, url: str, known: Validators | None = None) -> Fetched | None:
        """A source; None where it is still the version that `known` tells of. FetchError."""
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._fetch(url, known or Validators())
        except TimeoutError:
            msg = f"{url} took longer than {FETCH_S:g} s."
            raise FetchError(msg) from None
        except socket.gaierror:
            msg = f"There is no {urlsplit(url).hostname}."
            raise FetchError(msg) from None
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
            msg = f"{url} does not answer ({error or type(error).__name__})."
            raise FetchError(msg) from None

    async def _fetch(self, url: str, known: Validators) -> Fetched | None:
        for _ in range(REDIRECTS_MAX + 1):
            checked(url)
            pool = AsyncConnectionPool(ssl_context=self._tls, network_backend=_PublicOnly(self._allowed))
            timeouts = {"connect": CONNECT_S, "read": SILENCE_S, "write": SILENCE_S, "pool": SILENCE_S}
            async with (
                pool,
                pool.stream("GET", url, headers=_headers(url, known), extensions={"timeout": timeouts}) as response,
            ):
                headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status == HTTPStatus.NOT_MODIFIED:
                    return None
                if response.status not in REDIRECTS:
                    return Fetched(
                        url=url,
                        data=await _body(url, response, headers),
                        media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
                        validators=Validators(
                            etag=headers.get("etag", ""), last_modified=headers.get("last-modified", "")
                        ),
                    )
                url = urljoin(url, headers.get("location", ""))
        msg = f"{url}: more than {REDIRECTS_MAX} redirects."
        raise FetchError(msg)


def checked(url: str) -> None:
    """FetchError where this is no address of the web."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web, parts = False, urlsplit("")
    if not is_web:
        msg = f"{url} is no address that begins with http:// or https://."
        raise FetchError(msg)
    if parts.username is not None or parts.password is not None:
        raise FetchError("An address with a password in it is not asked: it would be kept with the document.")
    if not url.isascii() or any(character.isspace() for character in url):
        raise FetchError("An address is written in ASCII: percent-encode the rest.")


def _headers(url: str, known: Validators) -> list[tuple[str, str]]:
    headers = [
        ("Host", urlsplit(url).netloc),
        ("User-Agent", "Scriptorium"),
        ("Accept", "text/*, application/pdf, */*;q=0.5"),
    ]
    headers.append(("Accept-Encoding", "identity"))  # What is compressed could be of any size.
    if known.etag:
        headers.append(("If-None-Match", known.etag))
    if known.last_modified:
        headers.append(("If-Modified-Since", known.last_modified))
    return headers


async def _body(url: str, response: httpcore2.Response, headers: dict[str, str]) -> bytes:
    if response.status != HTTPStatus.OK:
        retry_after_ms = retry_after(headers.get("retry-after", ""))
        msg = f"{url} answers {response.status}."
        raise FetchError(msg, retry_after_ms=retry_after_ms)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES and not media_type.startswith("text/"):
        msg = f"{url} is of the kind {media_type}; text, Markdown, HTML and PDF can be read."
        raise FetchError(msg)
    if headers.get("content-encoding", "identity").lower() not in {"identity", ""}:
        msg = f"{url} is compressed, though it was asked not to be."
        raise FetchError(msg)
    data = bytearray()
    async for chunk in response.aiter_stream():
        data += chunk
        if len(data) > SOURCE_BYTES_MAX:
            msg = f"{url} has more than {SOURCE_BYTES_MAX} bytes."
            raise FetchError(msg)
    return bytes(data)


def retry_after(value: str) -> int | None:
    """`Retry-After` in milliseconds, seconds or a date (RFC 9110 §10.2.3); None where there is none."""
    if value.strip().isdecimal():
        return min(int(value), RETRY_AFTER_S_MAX) * 1_000
    try:
        at_ms = int(parsedate_to_datetime(value).timestamp() * 1_000)
    except ValueError:
        return None
    return min(max(at_ms - now_ms(), 0), RETRY_AFTER_S_MAX * 1_000)
