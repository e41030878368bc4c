"""Refusals as problem documents (RFC 9457), each naming the field it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_TITLES = {
    400: "Bad request",
    401: "A key is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Not possible now",
    410: "Gone",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Not valid",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available",
}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field; `pointer` is a JSON Pointer (RFC 6901)."""

    pointer: str
    detail: str


class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """Raised anywhere in a handler; answered as `application/problem+json`."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        more: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.more = more or {}
        """Members of its own kind (RFC 9457, section 3.2)."""
        self.headers = headers or {}


def problem_response(
    status: int, detail: str, errors: Sequence[FieldError] = (), more: Mapping[str, object] | None = None
) -> Response:
    """The document itself."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    if errors:
        body["errors"] = errors
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 -- RFC 9110 §15.5.2
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")


async def on_problem(_request: Request, error: Exception) -> Response:
    """Starlette's handler for `Problem`."""
    assert isinstance(error, Problem)  # noqa: S101 -- registered for it alone
    response = problem_response(error.status, error.detail, error.errors, error.more)
    response.headers.update(error.headers)
    return response


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Starlette's own refusals, in the same form."""
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for it alone
    response = problem_response(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def on_bus_away(_request: Request, _error: Exception) -> Response:
    """The bus does not answer: what was asked may be asked again."""
    response = problem_response(503, "The bus is away; please try again.")
    response.headers["Retry-After"] = "1"
    return response


async def on_defect(_request: Request, _error: Exception) -> Response:
    """A defect of ours: the log has the traceback, the client does not."""
    return problem_response(500, "Something went wrong here; it has been logged.")


def decoded(body: bytes, type_: type[T]) -> T:
    """A request's body, strictly. Problem 400 where it is no JSON, 422 where it is not of this form."""
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        what = found["what"] if found else str(error)
        path = (found["path"] or "$") if found else "$"
        unknown = re.search(r"unknown field `([^`]+)`", what)
        missing = re.search(r"missing required field `([^`]+)`", what)
        named = re.match(r"The `([a-z_]+)` ", what)
        leaf = (unknown or missing or named or [None, None])[1]
        pointer = _pointer(path) + (f"/{leaf}" if leaf else "")
        raise Problem(422, f"{pointer or 'The body'}: {what}", [FieldError(pointer, what)]) from None
    except msgspec.DecodeError as error:
        raise Problem(400, f"The body is not JSON: {error}") from None


def _pointer(path: str) -> str:
    """`$.sources[0].name` as `/sources/0/name`. msgspec says `[...]` for any item."""
    return re.sub(r"\[([^\]]*)\]", lambda m: "/" + m[1].strip("."), path.removeprefix("$")).replace(".", "/")
