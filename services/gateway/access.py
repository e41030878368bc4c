"""Who may change a document: whoever has its key. Only the key's digest is kept, outside the log."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue
from starlette.requests import Request

from schemas import subjects
from services.gateway.problems import Problem
from services.shared.bus import Bus

COOKIE = "scriptorium-key"
SAME_SITE = {"same-origin", "none"}


def new_id() -> str:
    """128 random bits: the right to read."""
    return secrets.token_hex(16)


def new_key() -> str:
    """256 random bits: the right to change."""
    return secrets.token_urlsafe(32)


class Access:
    """The bucket of key digests."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    @classmethod
    async def open(cls, bus: Bus) -> Access:
        """Needs the bucket to be there."""
        return cls(await bus.js.key_value(subjects.ACCESS))

    async def grant(self, document: str, key: str) -> None:
        """This key may change this document."""
        await self._bucket.put(document, _digest(key))

    async def revoke(self, document: str) -> None:
        """No key may change it any more."""
        await self._bucket.delete(document)

    async def check(self, request: Request, document: str) -> None:
        """Problem 401 without a key, 403 with another's, 404 where there is no document."""
        key = _presented(request)
        try:
            entry = await self._bucket.get(document)
        except KeyNotFoundError:
            raise Problem(404, "There is no such document.") from None
        if key is None:
            raise Problem(401, "Changing this document needs its key, as a cookie or as `Authorization: Bearer`.")
        if not hmac.compare_digest(entry.value or b"", _digest(key)):
            raise Problem(403, "This key is not this document's.")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).hexdigest().encode()


def _presented(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "bearer" and token:
        return token.strip()
    cookie = request.cookies.get(COOKIE)
    if cookie is not None and request.headers.get("sec-fetch-site", "same-origin") not in SAME_SITE:
        raise Problem(403, "A cookie counts only on this site's own pages.")
    return cookie
