"""Metadata is recorded where it is true: by whoever holds the model's connection, while holding it.

In the system: `CellCompleted` and `CallSettled` in `schemas/events.py`, filled in by `services/shared/attempt/endings.py`, folded into
`Completion` and `Ledger` in `schemas/document.py`.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.case_study.model import HEADINGS, Model, prompt, words_in

CHARACTERS_PER_TOKEN = 4


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A section and how it came about. A new field needs a default: what was recorded before must stay readable."""

    heading: str
    text: str
    model: str = ""
    first_token_ms: int | None = None
    """None: it never said anything."""
    duration_ms: int = 0
    tokens_out: int = 0
    exact: bool = False
    """Whether the provider has said how many tokens; else they are estimated."""


async def written(model: Model, heading: str, text: str) -> Written:
    """Write one section, and measure it on the connection that it comes over."""
    began = monotonic()
    first: float | None = None
    said, name, usage = "", "", None
    async for chunk in model.chunks(text):
        words = words_in(chunk)
        if words and first is None:
            first = monotonic()
        said += words
        name, usage = chunk["model"], chunk.get("usage") or usage
    tokens: int | None = None if usage is None else usage["completion_tokens"]
    return Written(
        heading=heading,
        text=said,
        model=name,
        first_token_ms=None if first is None else round((first - began) * 1_000),
        duration_ms=round((monotonic() - began) * 1_000),
        tokens_out=len(said) // CHARACTERS_PER_TOKEN if tokens is None else tokens,
        exact=tokens is not None,
    )


def application(model: Model) -> Starlette:
    """The same answer as before, and beside it what each section was made of: an old client does not see a difference."""

    async def write(request: Request) -> JSONResponse:
        brief = (await request.json())["brief"]
        sections = [await written(model, heading, prompt(brief, heading)) for heading in HEADINGS]
        answer: dict[str, Any] = {"text": "\n\n".join(section.text for section in sections)}
        return JSONResponse(answer | {"sections": msgspec.to_builtins(sections)})

    return Starlette(routes=[Route("/write", write, methods=["POST"])])
