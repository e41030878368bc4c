"""The endpoint answers with a text and with nothing else."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.case_study.model import HEADINGS, Model, prompt


def application(model: Model) -> Starlette:
    """`POST /write {"brief"}`: a section for each heading, one after the other."""

    async def write(request: Request) -> JSONResponse:
        brief = (await request.json())["brief"]
        texts = [await model.complete(prompt(brief, heading)) for heading in HEADINGS]
        return JSONResponse({"text": "\n\n".join(texts)})

    return Starlette(routes=[Route("/write", write, methods=["POST"])])
