"""Who may change a document: whoever has a key of it. Only the keys' digests are kept, outside the log.

The first key is that of whoever made the document; the others were made to be passed on, and can be taken back.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from starlette.requests import Request
from starlette.responses import Response

from schemas import subjects
from services.gateway.problems import Problem
from services.shared.bus import Bus

COOKIE = "scriptorium-key"
COOKIE_S = 365 * 24 * 3_600
SECRET = "idempotency-secret"  # noqa: S105 -- the name of one, not one
SAME_SITE = {"same-origin", "none"}
KEYS_MAX = 32
"""Of one document."""
TRIES_MAX = 20


def new_id() -> str:
    """128 random bits: the right to read."""
    return secrets.token_hex(16)


def new_key() -> str:
    """256 random bits: the right to change."""
    return secrets.token_urlsafe(32)


def keep(response: Response, document: str, key: str, *, secure: bool) -> None:
    """The key goes with the response as the page's cookie: no script reads it, no other site sends it."""
    path = f"/api/documents/{document}"
    response.set_cookie(COOKIE, key, COOKIE_S, path=path, httponly=True, samesite="strict", secure=secure)


class Access:
    """The bucket of key digests."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    @classmethod
    async def open(cls, bus: Bus) -> Access:
        """Needs the bucket to be there."""
        return cls(await bus.js.key_value(subjects.ACCESS))

    async def grant(self, document: str, key: str) -> None:
        """This is the first key of this document. Once more is no harm."""
        with contextlib.suppress(KeyWrongLastSequenceError):  # Then it is there, and others may stand beside it.
            await self._bucket.create(document, _digest(key))

    async def revoke(self, document: str) -> None:
        """No key may change it any more."""
        await self._bucket.delete(document)

    async def secret(self) -> bytes:
        """One for all gateways, from which they make what need not be kept. Made by whoever needs it first."""
        try:
            return (await self._bucket.get(SECRET)).value or b""
        except KeyNotFoundError:
            with contextlib.suppress(KeyWrongLastSequenceError):  # Another gateway was first.
                await self._bucket.create(SECRET, new_key().encode())
            return (await self._bucket.get(SECRET)).value or b""

    async def check(self, request: Request, document: str) -> None:
        """Problem 401 without a key, 403 with another's, 404 where there is no document."""
        self._place(request, (await self._kept(document))[0])

    async def may_change(self, request: Request, document: str) -> bool:
        """The same as an answer. Problem 404 where there is no document."""
        digests, _ = await self._kept(document)
        try:
            self._place(request, digests)
        except Problem:
            return False
        return True

    async def pass_on(self, request: Request, document: str) -> str:
        """One more key. Problem 409 where there are too many."""
        for _ in range(TRIES_MAX):
            digests, revision = await self._kept(document)
            self._place(request, digests)
            if len(digests) >= KEYS_MAX:
                raise Problem(409, f"A document has {KEYS_MAX} keys at most. Taking them back makes room.")
            key = new_key()
            if await self._put(document, [*digests, _digest(key)], revision):
                return key
        raise Problem(409, "Others share this document in the same moment; please try again.")

    async def take_back(self, request: Request, document: str) -> None:
        """All keys but the first, by whoever has that one."""
        for _ in range(TRIES_MAX):
            digests, revision = await self._kept(document)
            if self._place(request, digests) != 0:
                raise Problem(403, "Only who made this document takes its other keys back.")
            if len(digests) == 1 or await self._put(document, digests[:1], revision):
                return
        raise Problem(409, "Others share this document in the same moment; please try again.")

    async def _kept(self, document: str) -> tuple[list[bytes], int]:
        try:
            entry = await self._bucket.get(document)
        except KeyNotFoundError:
            raise Problem(404, "There is no such document.") from None
        return (entry.value or b"").split(b"\n"), entry.revision or 0

    async def _put(self, document: str, digests: list[bytes], revision: int) -> bool:
        try:
            await self._bucket.update(document, b"\n".join(digests), last=revision)
        except KeyWrongLastSequenceError:
            return False
        return True

    def _place(self, request: Request, digests: list[bytes]) -> int:
        """Which of them is presented; 0 is the first."""
        key = presented(request)
        if key is None:
            raise Problem(401, "Changing this document needs its key, as a cookie or as `Authorization: Bearer`.")
        wanted = _digest(key)
        found = [place for place, digest in enumerate(digests) if hmac.compare_digest(digest, wanted)]
        if not found:
            raise Problem(403, "This key is not this document's.")
        return found[0]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).hexdigest().encode()


def presented(request: Request) -> str | None:
    """The key that comes with a request. Problem 403 for a cookie that another site's page sent."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "bearer" and token:
        return token.strip()
    cookie = request.cookies.get(COOKIE)
    if cookie is not None and request.headers.get("sec-fetch-site", "same-origin") not in SAME_SITE:
        raise Problem(403, "A cookie counts only on this site's own pages.")
    return cookie
