"""The control room over HTTP: what happens on the bus for whoever has the document's key; what turns and kills, in a demo only.

All of it lies below the document's own path, where its key's cookie is sent.
"""

from __future__ import annotations

import re

import msgspec
from nats.errors import NoRespondersError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas import operations, subjects
from schemas.operations import ActOnProcess, ProcessesShown, TurnDials, decode_processes
from services.gateway.access import Access
from services.gateway.operations import RoomResponse, Rooms
from services.gateway.problems import Problem, decoded
from services.shared.bus import REQUEST_TIMEOUT_S, Bus
from services.shared.settings import GatewaySettings

JSON = "application/json"
BODY_BYTES_MAX = 64 * 1024
_ID = re.compile(r"^[0-9a-f]{32}$")
_SEQUENCE = re.compile(r"^\d{1,18}$")


class _Refusal(msgspec.Struct):
    error: str = ""


class ControlFace:
    """The handlers."""

    def __init__(self, bus: Bus, access: Access, rooms: Rooms, settings: GatewaySettings) -> None:
        self._bus = bus
        self._access = access
        self._rooms = rooms
        self._settings = settings

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/api/documents/{id}/operations", self.operations, methods=["GET"]),
            Route("/api/documents/{id}/operations/dials", self.dials, methods=["GET"]),
            Route("/api/documents/{id}/operations/dials", self.turn_dials, methods=["PATCH"]),
            Route("/api/documents/{id}/operations/processes", self.processes, methods=["GET"]),
            Route("/api/documents/{id}/operations/processes", self.act, methods=["POST"]),
        ]

    async def operations(self, request: Request) -> Response:
        """The bus as it happens: the log from the start, or from `Last-Event-ID` on, and then everything."""
        document = await self._document(request)
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id") or "0"
        if not _SEQUENCE.match(last):
            raise Problem(400, "Last-Event-ID: the sequence of a fact, as this stream gave it.")
        if self._rooms.is_full:
            raise Problem(503, "There are as many control rooms open here as there may be.")
        return RoomResponse(self._rooms, self._rooms.open(document, int(last)))

    async def dials(self, request: Request) -> Response:
        """The simulator's dials: live, by model, defaults."""
        await self._demo(request)
        return await self._of_simulator(b"")

    async def turn_dials(self, request: Request) -> Response:
        """Turn some; the answer is what holds then."""
        await self._demo(request)
        return await self._of_simulator(operations.encode(decoded(await _body(request), TurnDials)))

    async def processes(self, request: Request) -> Response:
        """What `scriptorium up` keeps running."""
        await self._demo(request)
        return await self._of_supervisor(b"")

    async def act(self, request: Request) -> Response:
        """Kill, freeze, thaw or restart one; the answer says what was done."""
        await self._demo(request)
        return await self._of_supervisor(operations.encode(decoded(await _body(request), ActOnProcess)))

    async def _document(self, request: Request) -> str:
        id_: str = request.path_params["id"]
        if not _ID.match(id_):
            raise Problem(404, "There is no such document.")
        await self._access.check(request, id_)
        return id_

    async def _demo(self, request: Request) -> None:
        await self._document(request)
        if not self._settings.demo:
            raise Problem(403, "The dials, and what kills, are there only where `scriptorium up` runs in demo mode.")

    async def _of_simulator(self, turn: bytes) -> Response:
        reply = await self._ask(subjects.SIMULATOR_CONTROL, turn, "simulator")
        refusal = msgspec.json.decode(reply, type=_Refusal).error
        if refusal:
            raise Problem(422, f"/dials: {refusal}")
        return Response(reply, media_type=JSON)

    async def _of_supervisor(self, wish: bytes) -> Response:
        reply = await self._ask(subjects.SUPERVISOR_CONTROL, wish, "supervisor")
        answer: ProcessesShown = decode_processes(reply)
        if answer.refused:
            raise Problem(422, f"/process: {answer.refused}")
        return Response(reply, media_type=JSON)

    async def _ask(self, subject: str, wish: bytes, whom: str) -> bytes:
        try:
            return (await self._bus.client.request(subject, wish, timeout=REQUEST_TIMEOUT_S)).data
        except NoRespondersError:
            raise Problem(503, f"There is no {whom} on this bus.") from None


async def _body(request: Request) -> bytes:
    """Problem 413 where it is longer than any wish is, 415 where it is no JSON."""
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().casefold()
    if media_type != JSON:
        raise Problem(415, f"Send {JSON}, not {media_type}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Problem(413, f"At most {BODY_BYTES_MAX} bytes.")
    return bytes(body)
