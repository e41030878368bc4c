"""What is sent to change a document over HTTP, and what is answered. Shapes and limits only."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from schemas.events import AnyFact
from schemas.preview import TouchedCell
from schemas.requests import Brief, SourceAsked, Title
from schemas.values import (
    COLUMNS_MAX,
    INSTRUCTIONS_CHARACTERS_MAX,
    SECTIONS_MAX,
    TITLE_CHARACTERS_MAX,
    Column,
    Estimate,
    Id,
    Need,
    Section,
)

TEXT_CHARACTERS_MAX = 400_000
CELLS_MAX = 25_000

Heading = Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
Instructions = Annotated[str, msgspec.Meta(max_length=INSTRUCTIONS_CHARACTERS_MAX)]
Columns = Annotated[tuple[Column, ...], msgspec.Meta(max_length=COLUMNS_MAX)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
ModelName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
CellId = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""


class DocumentPatch(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`policy` names only what changes."""

    title: Title | UnsetType = UNSET
    brief: Brief | UnsetType = UNSET
    policy: dict[str, Any] | UnsetType = UNSET


class OutlinePut(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole outline."""

    sections: Annotated[tuple[Section, ...], msgspec.Meta(min_length=1, max_length=SECTIONS_MAX)]


class SectionPost(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more section. `after`: behind this one; null: first; left out: last."""

    section: Section
    after: Id | UnsetType | None = UNSET


class SectionPatch(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parts of a section."""

    heading: Heading | UnsetType = UNSET
    instructions: Instructions | UnsetType = UNSET
    depends_on: tuple[Need, ...] | UnsetType = UNSET
    columns: Columns | UnsetType = UNSET


class SectionPut(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole section; its id is in the path."""

    heading: Heading
    instructions: Instructions = ""
    depends_on: tuple[Need, ...] = ()
    columns: Columns = ()


class ColumnPut(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole column; its id is in the path."""

    heading: Heading
    instructions: Instructions = ""
    format: str = "text"
    options: tuple[str, ...] = ()
    sample: tuple[Id, ...] = ()


class CellPut(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Text by hand."""

    text: Text


class RewritePost(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Write it again; by another model, where one is named."""

    model: ModelName | None = None


class OfferPost(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which offer is meant; None: the one that is there."""

    revision: int | None = None


class SourcePost(SourceAsked, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One more source, before another one; left out: last."""

    before: Id | None = None


class UpdatePost(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """These cells; left out: all that are not up to date."""

    cells: Annotated[tuple[CellId, ...], msgspec.Meta(max_length=CELLS_MAX)] | None = None


class RestorePost(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sequence of the document's log."""

    to: Annotated[int, msgspec.Meta(ge=1)]


class Edited(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The edit stands at `sequence`. Not `changed`: everything was so already."""

    sequence: int
    version: int
    changed: bool
    estimate: Estimate
    source: str | None = None
    """The id of a source that was added."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an edit would come to."""

    version: int
    cells: tuple[TouchedCell, ...]
    kept: tuple[TouchedCell, ...]
    waits: bool
    estimate: Estimate


class Estimated(msgspec.Struct, frozen=True, kw_only=True):
    """What a document would come to. Without an outline, as many sections are assumed as a planner usually makes."""

    cells: tuple[str, ...]
    estimate: Estimate


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One edit, in the history."""

    sequence: int
    at_ms: int
    type: str
    cause: str
    who: str
    what: tuple[str, ...]
    """Section, source, cell, or the names of the fields."""
    cells: tuple[str, ...]
    """That it gave cause to write."""
    estimate: Estimate | None = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `earliest`: nothing before that sequence can be read any more."""

    changes: tuple[Change, ...]
    earliest: int
    latest: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One cell, then and later; None: it was not there, or had no text."""

    cell: str
    section: str
    before: str | None
    after: str | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two moments."""

    from_sequence: int
    to_sequence: int
    fields: tuple[str, ...]
    """Of `title`, `brief`, `policy`, `outline`, `sources`."""
    sections_added: tuple[str, ...]
    sections_removed: tuple[str, ...]
    sections_changed: tuple[str, ...]
    sources_added: tuple[str, ...]
    sources_removed: tuple[str, ...]
    sources_replaced: tuple[str, ...]
    cells: tuple[Difference, ...]


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """A fact, and where it stands: a line of the log."""

    sequence: int
    fact: AnyFact


class Moved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Beside a refusal 412: what was to be changed, as it is now, and who changed it meanwhile."""

    version: int
    current: Any = None
    changes: tuple[Change, ...] = ()
