"""A reader of an event stream, for the checks: it can leave at any moment, and come back from where it was."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2

Event = dict[str, Any]


class Reader:
    """All that one reader was told, over however many connections."""

    def __init__(self, app: httpx2.AsyncClient, address: str) -> None:
        self._app = app
        self._address = address
        self.last_id = ""
        self.events: list[Event] = []

    async def stream(self) -> AsyncGenerator[Event]:
        """Connect, from the last event on. Closing it is what a closed tab looks like."""
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        async with self._app.stream("GET", self._address, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream"), "there is no stream of events"
            id_, data = "", ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                match name:
                    case "id":
                        id_ = value
                    case "data":
                        data = value
                    case "" if data:
                        self.last_id, event, data = id_, json.loads(data), ""
                        self.events.append(event)
                        yield event
                    case _:
                        pass

    async def read(self, pieces: int | None = None) -> None:
        """Read so many more pieces of text, or to the end."""
        stream = self.stream()
        try:
            async for event in stream:
                if pieces is not None and event["type"] == "TextAppended":
                    pieces -= 1
                    if pieces == 0:
                        return
        finally:
            await stream.aclose()

    @property
    def texts(self) -> dict[str, str]:
        """What it has on its screen: of each section the newest attempt, placed by offset."""
        shown: dict[str, tuple[int, str]] = {}
        for event in self.events:
            match event:
                case {"type": "SectionStarted", "section": section, "attempt": attempt}:
                    shown[section] = (attempt, "")
                case {"type": "TextAppended", "section": section, "attempt": attempt, "offset": offset, "text": text}:
                    newest, before = shown[section]
                    if attempt == newest:
                        assert offset == len(before), "a piece is missing, or came twice"
                        shown[section] = (attempt, before + text)
                case _:
                    pass
        return {section: text for section, (_, text) in shown.items()}
