"""Wires the simulator: routes, control, record, and the server they run on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas import subjects
from schemas.operations import DialsTurned, TurnDials
from services.shared.bus import connect
from services.shared.clock import now_ms
from services.shared.samples import Samples
from services.shared.settings import BusSettings, SimulatorSettings
from services.simulator.anthropic_face import Anthropic
from services.simulator.dials import DEFAULTS, DialBoard, DialsRefusedError, Turned
from services.simulator.hard_cut import ResettableProtocol, listening
from services.simulator.openai_face import OpenAI
from services.simulator.service import Completions, Simulator

log = logging.getLogger(__name__)

SHUTDOWN_S: Final = 1
decode_turn = msgspec.json.Decoder(TurnDials).decode


def answered(value: Any, status: int = 200) -> Response:  # noqa: ANN401 -- anything that msgspec encodes
    """A JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def problem(detail: str, status: int = 400) -> Response:
    """A problem document (RFC 9457)."""
    body = msgspec.json.encode({"type": "about:blank", "title": "Bad request", "status": status, "detail": detail})
    return Response(body, status, media_type="application/problem+json")


class Control:
    """Dials, records and the list of models, over HTTP."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.samples: Samples | None = None
        """Where turns of the dials are told; None: nowhere."""

    def apply_dials(self, update: TurnDials) -> None:
        """Turn live dials, whoever asks for it: HTTP or the bus. Raises DialsRefusedError."""
        self._simulator.board.turn(update)
        if self.samples is not None:
            turned = DialsTurned(at_ms=now_ms(), model=update.model, dials=update.dials, reset=update.reset)
            self.samples.tell(turned)

    def dials(self) -> dict[str, Any]:
        """The live layers, and what holds for each model that is configured."""
        board = self._simulator.board
        return {
            "live": board.live,
            "models": {name: board.dials(name) for name in board.models},
            "any_other": board.dials(""),
            "defaults": DEFAULTS,
        }

    async def show_dials(self, _: Request) -> Response:
        """GET /dials."""
        return answered(self.dials())

    async def turn_dials(self, request: Request) -> Response:
        """PUT /dials makes the live dials of a model what is given, PATCH turns those that are named."""
        try:
            update = decode_turn(await request.body())
            if request.method == "PUT":
                update = msgspec.structs.replace(update, reset=True)
            self.apply_dials(update)
        except (msgspec.DecodeError, DialsRefusedError) as error:
            return problem(str(error))
        return answered(self.dials())

    async def reset_dials(self, _: Request) -> Response:
        """DELETE /dials puts all live dials back."""
        for model in tuple(self._simulator.board.live):
            self.apply_dials(TurnDials(model=model, reset=True))
        return Response(status_code=204)

    async def record(self, request: Request) -> Response:
        """GET /record?document=…&since=…, `since` in ms since the epoch."""
        try:
            since_ms = float(request.query_params.get("since", "0"))
        except ValueError:
            return problem("since: milliseconds since the Unix epoch")
        return answered(self._simulator.records.calls(request.query_params.get("document"), since_ms))

    async def record_open(self, request: Request) -> Response:
        """GET /record/open: the calls that go on now."""
        return answered(self._simulator.records.open(request.query_params.get("document")))

    async def forget(self, _: Request) -> Response:
        """DELETE /record forgets the calls that are over, and how often each prompt was asked."""
        self._simulator.forget()
        return Response(status_code=204)

    async def models(self, _: Request) -> Response:
        """GET /v1/models, as both protocols read it."""
        names = list(self._simulator.board.models)
        data = [
            {
                "id": name,
                "object": "model",
                "type": "model",
                "display_name": name,
                "created": 1_735_689_600,
                "created_at": "2025-01-01T00:00:00Z",
                "owned_by": "scriptorium",
            }
            for name in names
        ]
        return answered({"object": "list", "data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})

    async def health(self, _: Request) -> Response:
        """GET /healthz."""
        return answered({"status": "ok", "open": len(self._simulator.records.open())})


def application(seed: int = 1, models: Mapping[str, Turned] | None = None) -> tuple[Starlette, Control]:
    """The ASGI application and its control. Raises DialsRefusedError for settings that are none."""
    simulator = Simulator(DialBoard(seed, models or {}))
    control = Control(simulator)
    routes = [
        Route("/v1/chat/completions", Completions(simulator, OpenAI()), methods=["POST"]),
        Route("/v1/messages", Completions(simulator, Anthropic()), methods=["POST"]),
        Route("/v1/models", control.models),
        Route("/dials", control.show_dials),
        Route("/dials", control.turn_dials, methods=["PUT", "PATCH"]),
        Route("/dials", control.reset_dials, methods=["DELETE"]),
        Route("/record", control.record),
        Route("/record", control.forget, methods=["DELETE"]),
        Route("/record/open", control.record_open),
        Route("/healthz", control.health),
    ]
    return Starlette(routes=routes), control


async def serve(
    settings: SimulatorSettings,
    bus: BusSettings | None = None,
    on_listening: Callable[[str], None] | None = None,
) -> None:
    """Serve until cancelled or told to stop by a signal. Port 0 takes a free one; `on_listening` is told the address."""
    app, control = application(settings.seed, settings.dials)
    with listening(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        config = uvicorn.Config(
            app,
            http=ResettableProtocol,
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        server = uvicorn.Server(config)
        if on_listening is not None:
            on_listening(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        listens = asyncio.create_task(listen_for_dials(bus, control)) if bus is not None else None
        try:
            await server.serve([listener])
        finally:
            if listens is not None:
                listens.cancel()
                await asyncio.gather(listens, return_exceptions=True)


async def listen_for_dials(settings: BusSettings, control: Control) -> None:
    """Turn dials as the bus says. A request is answered with what holds now, or with `{"error": …}`."""
    bus = await connect(settings, "simulator")
    control.samples = Samples(bus)
    try:
        asked = await bus.client.subscribe(subjects.SIMULATOR_CONTROL)
        async for message in asked.messages:
            try:
                # An empty request only asks.
                if message.data:
                    control.apply_dials(decode_turn(message.data))
                said: dict[str, Any] = control.dials()
            except (msgspec.DecodeError, DialsRefusedError) as error:
                log.warning("dials refused: %s", error)
                said = {"error": str(error)}
            if message.reply:
                await message.respond(msgspec.json.encode(said))
    finally:
        await bus.close()
