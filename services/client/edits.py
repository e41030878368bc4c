"""Every edit of a document, once: made, they answer what was changed; previewed, what would be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from schemas.edit_requests import (
    CellPut,
    ColumnPut,
    DocumentPatch,
    Edited,
    OfferPost,
    OutlinePut,
    Preview,
    RestorePost,
    RewritePost,
    SectionPatch,
    SectionPost,
    SectionPut,
    SourcePost,
    UpdatePost,
)
from schemas.requests import SourceAsked
from schemas.values import Cause, Column, Section
from services.client.wire import Wire, bearer, segment

Answer = TypeVar("Answer", bound=Edited | Preview)


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who edits, with what right."""

    key: str | None = None
    who: str = ""
    """A name, for the history."""
    cause: Cause = "reader"

    def __repr__(self) -> str:
        """Without the key: it would stand in tracebacks and logs."""
        return f"Author(who={self.who!r}, cause={self.cause!r})"


class Edits(Generic[Answer]):
    """What may be done to one document.

    `if_match` is a sequence of its log, such as `Document.sequence`: where somebody has edited it since, nothing is changed
    and `Conflict` says what they did. Without it an edit changes only what it names, on top of whatever is there.
    """

    def __init__(self, wire: Wire, id_: str, author: Author, answers: type[Answer]) -> None:
        self.id = id_
        self._wire = wire
        self._author = author
        self._answers: type[Answer] = answers

    # -- The document ---------------------------------------------------------------------------------------------------

    async def edit(
        self,
        *,
        title: str | UnsetType = UNSET,
        brief: str | UnsetType = UNSET,
        policy: Mapping[str, Any] | UnsetType = UNSET,
        if_match: int | None = None,
    ) -> Answer:
        """What is left out stays; `policy` names only what changes. A title costs nothing, a brief rewrites everything."""
        given = UNSET if policy is UNSET else dict(policy)
        return await self._edit("PATCH", "", DocumentPatch(title=title, brief=brief, policy=given), if_match)

    async def update(self, cells: Iterable[str] | None = None, *, if_match: int | None = None) -> Answer:
        """Bring these stale cells up to date, or all."""
        body = UpdatePost(cells=None if cells is None else tuple(cells))
        return await self._edit("POST", "/update", body, if_match)

    async def restore(self, to: int, *, if_match: int | None = None) -> Answer:
        """What it was when its log ended there. Texts come from the log: nothing is written, nothing paid."""
        return await self._edit("POST", "/restore", RestorePost(to=to), if_match)

    # -- The outline ----------------------------------------------------------------------------------------------------

    async def put_outline(self, sections: Iterable[Section], *, if_match: int | None = None) -> Answer:
        """The whole outline."""
        return await self._edit("PUT", "/outline", OutlinePut(sections=tuple(sections)), if_match)

    async def add_section(
        self, section: Section, *, after: str | UnsetType | None = UNSET, if_match: int | None = None
    ) -> Answer:
        """One more: behind `after`, first where that is None, last where it is left out."""
        return await self._edit("POST", "/sections", SectionPost(section=section, after=after), if_match)

    async def change_section(  # noqa: PLR0913 -- the parts of a section, by name
        self,
        section: str,
        *,
        heading: str | UnsetType = UNSET,
        instructions: str | UnsetType = UNSET,
        depends_on: Iterable[str] | UnsetType = UNSET,
        columns: Iterable[Column] | UnsetType = UNSET,
        if_match: int | None = None,
    ) -> Answer:
        """Parts of one; what is left out stays."""
        body = SectionPatch(
            heading=heading,
            instructions=instructions,
            depends_on=UNSET if isinstance(depends_on, UnsetType) else tuple(depends_on),
            columns=UNSET if isinstance(columns, UnsetType) else tuple(columns),
        )
        return await self._edit("PATCH", _section(section), body, if_match)

    async def put_section(self, section: Section, *, if_match: int | None = None) -> Answer:
        """Replace the one of this id, or add it at the end."""
        body = SectionPut(
            heading=section.heading,
            instructions=section.instructions,
            depends_on=section.depends_on,
            columns=section.columns,
        )
        return await self._edit("PUT", _section(section.id), body, if_match)

    async def remove_section(self, section: str, *, if_match: int | None = None) -> Answer:
        """One fewer; others no longer depend on it."""
        return await self._edit("DELETE", _section(section), None, if_match)

    async def put_column(self, section: str, column: Column, *, if_match: int | None = None) -> Answer:
        """Add a question to a table, or change the one of this id."""
        body = ColumnPut(
            heading=column.heading,
            instructions=column.instructions,
            format=column.format,
            options=column.options,
            sample=column.sample,
        )
        return await self._edit("PUT", f"{_section(section)}/columns/{segment(column.id)}", body, if_match)

    async def remove_column(self, section: str, column: str, *, if_match: int | None = None) -> Answer:
        """One question fewer."""
        return await self._edit("DELETE", f"{_section(section)}/columns/{segment(column)}", None, if_match)

    # -- Cells ----------------------------------------------------------------------------------------------------------

    async def write_cell(self, cell: str, text: str, *, if_match: int | None = None) -> Answer:
        """Text by hand. It locks the cell."""
        return await self._edit("PUT", _cell(cell), CellPut(text=text), if_match)

    async def rewrite(self, cell: str, *, model: str | None = None, if_match: int | None = None) -> Answer:
        """Write it again; of a locked cell, offer a rewrite beside its text."""
        return await self._edit("POST", f"{_cell(cell)}/rewrite", RewritePost(model=model), if_match)

    async def accept(self, cell: str, *, revision: int | None = None, if_match: int | None = None) -> Answer:
        """Take the rewrite that is offered; the lock goes."""
        return await self._edit("POST", f"{_cell(cell)}/accept", OfferPost(revision=revision), if_match)

    async def decline(self, cell: str, *, revision: int | None = None, if_match: int | None = None) -> Answer:
        """Keep the text, and drop the rewrite that is offered."""
        return await self._edit("POST", f"{_cell(cell)}/decline", OfferPost(revision=revision), if_match)

    async def lock(self, cell: str, *, if_match: int | None = None) -> Answer:
        """Keep its text, whatever happens to its inputs."""
        return await self._edit("POST", f"{_cell(cell)}/lock", None, if_match)

    async def unlock(self, cell: str, *, if_match: int | None = None) -> Answer:
        """Let it follow its inputs again; text by hand gives way."""
        return await self._edit("POST", f"{_cell(cell)}/unlock", None, if_match)

    # -- Sources --------------------------------------------------------------------------------------------------------

    async def add_source(
        self, source: SourceAsked, *, before: str | None = None, if_match: int | None = None
    ) -> Answer:
        """One more; `Edited.source` is its id. Before another one, or last."""
        body = SourcePost(name=source.name, text=source.text, url=source.url, upload=source.upload, before=before)
        return await self._edit("POST", "/sources", body, if_match)

    async def replace_source(self, source: str, by: SourceAsked, *, if_match: int | None = None) -> Answer:
        """Its bytes are these from now on."""
        return await self._edit("PUT", f"/sources/{segment(source)}", by, if_match)

    async def remove_source(self, source: str, *, if_match: int | None = None) -> Answer:
        """Write without it."""
        return await self._edit("DELETE", f"/sources/{segment(source)}", None, if_match)

    async def _edit(self, method: str, path: str, body: msgspec.Struct | None, if_match: int | None) -> Answer:
        headers: dict[str, str | bytes] = {**bearer(self._author.key), "Scriptorium-Cause": self._author.cause}
        if self._author.who:
            headers["Scriptorium-Who"] = self._author.who.encode()
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        return await self._wire.ask(
            self._answers,
            method,
            f"/api/documents/{self.id}{path}",
            body,
            query={"preview": "true"} if self._answers is Preview else None,
            headers=headers,
        )


def _section(id_: str) -> str:
    return f"/sections/{segment(id_)}"


def _cell(id_: str) -> str:
    return f"/cells/{segment(id_)}"
