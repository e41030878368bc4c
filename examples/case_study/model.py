"""The model, as a small web application meets it: OpenAI chat completions over HTTP, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2

NAME = "scribe"
HEADINGS = ("What a scriptorium was", "How the work was shared", "What became of it")
PASSAGES = tuple(
    """\
In a scriptorium many scribes each copied one part of a book at the same time, and the parts were bound into one volume. A master \
ruled the sheets and handed them out, so that nobody had to wait for a neighbour.
The work was shared by quires, the gatherings of folded sheets of which a book is sewn. Corrections were written in the margin, where \
a later reader could see them. A scribe who fell ill was replaced, and the quire that he had begun was begun anew.
When printing came, most scriptoria closed within two generations. What became of the scribes is less well known: some drew the \
initials that the first printers left blank, and some taught others to write.""".splitlines()
)


def prompt(brief: str, heading: str) -> str:
    """What the model is asked for one section."""
    passages = "\n".join(
        f'<passage source="s1" number="{number}" title="Scriptoria">{text}</passage>'
        for number, text in enumerate(PASSAGES, 1)
    )
    return f'<document title="Scriptoria">{brief}</document>\n<section heading="{heading}"></section>\n{passages}'


class Model:
    """One model of one provider."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        """`http` knows the provider's address."""
        self._http = http

    async def complete(self, text: str) -> str:
        """The whole answer, when it is there."""
        response = await self._http.post("/v1/chat/completions", json=_body(text))
        response.raise_for_status()
        return response.json()["choices"][0]["message"]["content"]

    async def chunks(self, text: str) -> AsyncGenerator[dict[str, Any]]:
        """The answer as it comes, chunk by chunk; the last one has the usage. Leaving the loop closes the connection."""
        body = _body(text) | {"stream": True, "stream_options": {"include_usage": True}}
        async with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                data = line.removeprefix("data: ")
                if data not in ("", "[DONE]"):
                    yield json.loads(data)


def words_in(chunk: dict[str, Any]) -> str:
    """The text of a chunk; there is none in the first and the last ones."""
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _body(text: str) -> dict[str, Any]:
    return {"model": NAME, "messages": [{"role": "user", "content": text}]}
