"""One document over HTTP: read it, watch it, change it, look back, take it away."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, Literal

import msgspec

from schemas import document as documents
from schemas.document import Document
from schemas.edit_requests import Comparison, Edited, Estimated, History, Logged, OutlinePut, Preview
from schemas.operations import ActOnProcess, ProcessesShown, TurnDials
from schemas.passages import Passage, PassagesRead
from schemas.requests import DocumentMade, DuplicateAsked, KeyMade, RightsShown
from schemas.standing import is_settled
from schemas.values import Section
from schemas.watches import WatchAsked, WatchesShown, WatchShown
from services.client.edits import Author, Edits
from services.client.watching import watch
from services.client.wire import Wire, bearer, segment
from services.shared.sse import ServerSentEvent

ExportFormat = Literal["json", "md", "html", "docx", "csv"]
DELETED = 204


class DocumentClient(Edits[Edited]):
    """A document, by its id; with its key, it may be changed. Edits are methods; `preview` has the same and changes nothing."""

    def __init__(self, wire: Wire, id_: str, *, author: Author, owner: str, url: str | None = None) -> None:
        super().__init__(wire, id_, author, Edited)
        self.preview: Edits[Preview] = Edits(wire, id_, author, Preview)
        """What each edit would come to: which cells are written anew, why, and what that costs."""
        self.url = url or f"{wire.address}/d/{id_}"
        """Its page. Whoever knows it may read the document."""
        self._owner = owner
        self._path = f"/api/documents/{id_}"

    def __repr__(self) -> str:
        """Without the key: it would stand in tracebacks and logs."""
        return f"DocumentClient({self.url!r})"

    @property
    def key(self) -> str | None:
        """The right to change, stop and delete it. Keep it where nobody else reads it."""
        return self._author.key

    # -- Reading --------------------------------------------------------------------------------------------------------

    async def get(self, *, at: int | None = None) -> Document:
        """The document as it is now, or was when its log ended at a sequence."""
        return documents.decode(await self.export("json", at=at))

    async def export(self, format: ExportFormat, *, section: str | None = None, at: int | None = None) -> bytes:  # noqa: A002 -- as it is called in the address
        """The document to take away. CSV is one table; `section` names it where there are several."""
        query = {"format": format, "section": section, "at": at}
        return (await self._wire.send("GET", self._path, query=query)).content

    async def passages(self, source: str) -> PassagesRead:
        """A source as it was read."""
        return await self._wire.ask(PassagesRead, "GET", f"{self._path}/sources/{segment(source)}/passages")

    async def passage(self, source: str, number: int) -> Passage:
        """One passage of it; they count from 1."""
        return await self._wire.ask(Passage, "GET", f"{self._path}/sources/{segment(source)}/passages/{number}")

    async def watch(self) -> AsyncGenerator[Document]:
        """The document after each event, for as long as it is asked for.

        Whoever iterates counts as a viewer. A connection that is lost is made again with the last id, and nothing is missed;
        httpx2.HTTPError once nobody has answered for a long time.
        """
        async with aclosing(watch(self.events)) as documents:
            async for document in documents:
                yield document

    async def rest(self) -> Document:
        """Watch until nothing is being written any more: all is as the last edit wants it, or the document is stopped or gone.

        The text comes before its bill: calls that are still in `open_calls` are settled a moment later.
        """
        async with aclosing(self.watch()) as documents:
            async for document in documents:
                if is_settled(document):
                    return document
        raise AssertionError("a watch has no end of its own")

    async def events(self, last_id: str = "") -> AsyncGenerator[ServerSentEvent]:
        """One connection's events, as they come."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with aclosing(self._wire.events(f"{self._path}/events", headers)) as events:
            async for event in events:
                yield event

    # -- Its past -------------------------------------------------------------------------------------------------------

    async def history(self) -> History:
        """Every edit, newest first."""
        return await self._wire.ask(History, "GET", f"{self._path}/history")

    async def compare(self, before: int, after: int | None = None) -> Comparison:
        """What differs between two moments, cell by cell; without `after`, between one and now."""
        return await self._wire.ask(Comparison, "GET", f"{self._path}/compare", query={"from": before, "to": after})

    async def log(self, *, after: int = 0, limit: int | None = None) -> AsyncGenerator[Logged]:
        """The facts themselves: how it was written."""
        query = {"after": after, "limit": limit}
        async with aclosing(self._wire.lines(f"{self._path}/log", query)) as lines:
            async for line in lines:
                yield msgspec.json.decode(line, type=Logged)

    async def estimate(self, sections: Iterable[Section]) -> Estimated:
        """What an outline would come to, with the sources that the document has."""
        body = OutlinePut(sections=tuple(sections))
        return await self._wire.ask(Estimated, "POST", f"{self._path}/estimate", body)

    # -- Its running ----------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Stop now; what is finished stays."""
        await self._wire.send("POST", f"{self._path}/stop", headers=self._key)

    async def stop_cell(self, cell: str) -> None:
        """Stop one cell that is queued or being written; the document goes on without it."""
        await self._wire.send("POST", f"{self._path}/cells/{segment(cell)}/stop", headers=self._key)

    async def resume(self) -> None:
        """Go on with a paused document. It pauses again where nobody watches it."""
        await self._wire.send("POST", f"{self._path}/resume", headers=self._key)

    async def delete(self) -> bool:
        """Delete it with all that is kept of it. False: that has begun, and takes longer."""
        return (await self._wire.send("DELETE", self._path, headers=self._key)).status_code == DELETED

    async def duplicate(self, title: str = "") -> DocumentClient:
        """One with the same brief, outline and sources, written anew."""
        body = DuplicateAsked(title=title)
        path, owner = f"{self._path}/duplicate", {"Scriptorium-Owner": self._owner}
        made = await self._wire.ask(DocumentMade, "POST", path, body, headers=owner)
        return made_document(self._wire, made, self._author, self._owner)

    # -- What it follows by itself --------------------------------------------------------------------------------------

    async def watches(self) -> tuple[WatchShown, ...]:
        """Folders and addresses that its sources come from. With its key, each has the address of its webhook."""
        return (await self._wire.ask(WatchesShown, "GET", f"{self._path}/watches", headers=self._key)).watches

    async def add_watch(self, wanted: WatchAsked) -> WatchShown:
        """Follow a folder or an address from now on: what changes there is written anew."""
        return await self._wire.ask(WatchShown, "POST", f"{self._path}/watches", wanted, headers=self._key)

    async def end_watch(self, watch: str) -> None:
        """Follow it no longer; the sources stay as they are."""
        await self._wire.send("DELETE", f"{self._path}/watches/{segment(watch)}", headers=self._key)

    # -- Who may change it ----------------------------------------------------------------------------------------------

    async def may_change(self) -> bool:
        """Whether the key that is given, if any, is one of this document's."""
        return (await self._wire.ask(RightsShown, "GET", f"{self._path}/key", headers=self._key)).may_change

    async def take(self) -> None:
        """Have a document, whose key came from somebody else, in the owner's list. Problem where it is not its key."""
        headers = self._key | {"Scriptorium-Owner": self._owner}
        await self._wire.send("POST", f"{self._path}/key", headers=headers)

    async def share(self) -> str:
        """A link for editing, with a key of its own behind the hash: as good as `key`, until it is taken back."""
        made = await self._wire.ask(KeyMade, "POST", f"{self._path}/keys", headers=self._key)
        return f"{self.url}#key={made.key}"

    async def take_back(self) -> None:
        """All links for editing: they lead to reading from now on. Needs the first key."""
        await self._wire.send("DELETE", f"{self._path}/keys", headers=self._key)

    # -- Its control room -----------------------------------------------------------------------------------------------

    async def operations(self, last_id: str = "") -> AsyncGenerator[ServerSentEvent]:
        """The bus as it happens, as far as it concerns this document. Not a viewer."""
        headers = self._key | ({"Last-Event-ID": last_id} if last_id else {})
        async with aclosing(self._wire.events(f"{self._path}/operations", headers)) as events:
            async for event in events:
                yield event

    async def dials(self) -> dict[str, Any]:
        """The simulator's dials (a demo's only)."""
        return await self._wire.ask(dict[str, Any], "GET", f"{self._path}/operations/dials", headers=self._key)

    async def turn_dials(self, turn: TurnDials) -> dict[str, Any]:
        """Turn some; what holds then."""
        return await self._wire.ask(dict[str, Any], "PATCH", f"{self._path}/operations/dials", turn, headers=self._key)

    async def processes(self) -> ProcessesShown:
        """What `scriptorium up` runs (a demo's only)."""
        return await self._wire.ask(ProcessesShown, "GET", f"{self._path}/operations/processes", headers=self._key)

    async def act(self, act: ActOnProcess) -> ProcessesShown:
        """Kill, freeze, thaw or restart one of them."""
        path = f"{self._path}/operations/processes"
        return await self._wire.ask(ProcessesShown, "POST", path, act, headers=self._key)

    @property
    def _key(self) -> dict[str, str]:
        return bearer(self._author.key)


def made_document(wire: Wire, made: DocumentMade, author: Author, owner: str) -> DocumentClient:
    """A document that was just made: its key is in the answer."""
    mine = msgspec.structs.replace(author, key=made.key)
    return DocumentClient(wire, made.id, author=mine, owner=owner, url=made.url)
