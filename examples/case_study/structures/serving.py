"""The application around a board: two workers a document, which take what can be written, and may die of their model."""

from __future__ import annotations

import asyncio
import secrets
from time import monotonic

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.case_study.model import HEADINGS, Model, prompt
from examples.case_study.structures.board import LEASE_MS, Board, Job, Section

WORKERS = 2
SUMMARY = "Summary"
SECTIONS = (*(Section(heading) for heading in HEADINGS), Section(SUMMARY, frozenset(HEADINGS)))
LOOK_S = 0.05


def now_ms() -> int:
    """The only clock."""
    return round(monotonic() * 1_000)


class Document:
    """A board, and those who work on it."""

    def __init__(self, model: Model, brief: str, board: type[Board]) -> None:
        self._model = model
        self._brief = brief
        self.board = board(SECTIONS)
        self._workers = {asyncio.create_task(self._work()) for _ in range(WORKERS)}

    async def _work(self) -> None:
        while len(self.board.completed) < len(SECTIONS):
            job = self.board.take(now_ms())
            if job is None:
                await asyncio.sleep(LOOK_S)  # A lease runs out without anybody saying so.
                continue
            try:
                await self._write(job)
            except Exception as error:  # noqa: BLE001 -- it stands for a process that dies: nobody tidies up after it
                print(f"a worker died with {job}: {error}")  # noqa: T201 -- the candidate looks at the terminal
                return

    async def _write(self, job: Job) -> None:
        beating = asyncio.create_task(self._beat(job))
        try:
            text = await self._model.complete(prompt(self._brief, job.section))
        finally:
            beating.cancel()
        self.board.complete(job, text, now_ms())

    async def _beat(self, job: Job) -> None:
        while self.board.beat(job, now_ms()):  # noqa: ASYNC110 -- a sign of life is given as time passes
            await asyncio.sleep(LEASE_MS / 3_000)


def served(model: Model, board: type[Board]) -> Starlette:
    """`POST /documents` begins one; `GET /documents/{id}` shows its three conditions."""
    documents: dict[str, Document] = {}

    async def create(request: Request) -> JSONResponse:
        id_ = secrets.token_hex(16)
        documents[id_] = Document(model, (await request.json())["brief"], board)
        return JSONResponse({"id": id_}, 201)

    async def show(request: Request) -> JSONResponse:
        document = documents.get(request.path_params["id"])
        if document is None:
            raise HTTPException(404, "There is no such document.")
        board = document.board
        return JSONResponse(
            {"pending": sorted(board.pending), "active": sorted(board.active), "completed": dict(board.completed)}
        )

    return Starlette(routes=[Route("/documents", create, methods=["POST"]), Route("/documents/{id}", show)])
