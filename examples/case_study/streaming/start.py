"""The endpoint answers when the last section is finished. Until then the reader looks at nothing."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.case_study.model import HEADINGS, Model, prompt


def application(model: Model) -> Starlette:
    """`POST /documents {"brief"}`: a section for each heading, one after the other."""

    async def create(request: Request) -> JSONResponse:
        brief = (await request.json())["brief"]
        texts = [await model.complete(prompt(brief, heading)) for heading in HEADINGS]
        return JSONResponse({"text": "\n\n".join(texts)})

    return Starlette(routes=[Route("/documents", create, methods=["POST"])])
