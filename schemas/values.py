"""The small values that facts, commands and the folded document are made of."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

TITLE_CHARACTERS_MAX = 300
BRIEF_CHARACTERS_MAX = 20_000
INSTRUCTIONS_CHARACTERS_MAX = 20_000
SECTIONS_MAX = 200
COLUMNS_MAX = 50
SOURCES_MAX = 500
SOURCE_BYTES_MAX = 32 * 1024 * 1024

# One token of a NATS subject and one segment of a URL, as written: no dots, no colons, no case.
ID_PATTERN = r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"
Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN, max_length=64)]

Need = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?(?::[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?)?$", max_length=129
    ),
]
"""What a section is written from: `section`, or of a table one question's answers, `section:column`."""

Lane = Literal["interactive", "batch"]
OnLastViewerLeft = Literal["pause", "finish_running", "continue"]
CacheUse = Literal["document", "shared", "off"]
Updates = Literal["auto", "manual"]
Cause = Literal["reader", "watcher", "webhook", "undo"]
"""What an edit came from: somebody with the key, a watched file or address, another system's word, or going back."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a document's owner decided about its running."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    """`provider/model`, first in the chain for every purpose; None: the configured chain."""
    on_last_viewer_left: OnLastViewerLeft = "pause"
    grace_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] | Literal["never"] = 10_000
    """How long a document without a viewer runs on; `never` means that it is never stopped for that."""
    deadline_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 1_800
    """Seconds of running (not of pausing) after which what is not written yet is given up."""
    budget: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """US dollars for the whole document; None: no limit. No call is made that could take the document past it."""
    cell_budget: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """US dollars for one revision of one cell, all of its tries together; None: no limit but the document's."""
    cell_tokens_max: Annotated[int, msgspec.Meta(ge=16, le=1_000_000)] | None = None
    """Tokens that one answer may have, where that is less than the settings allow."""
    cell_deadline_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None
    """Seconds that one cell may take from the moment a writer has it, all of its tries together."""
    cache: CacheUse = "document"
    """Whose finished cells may be taken where all that the model would be asked is the same: this document's, those of all
    documents that say `shared` here (and so this one's by them), or nobody's."""
    updates: Updates = "auto"
    """What an edit made stale is rewritten by itself, or stays readable and marked until somebody asks for an update."""
    plan_first: bool = False
    """The outline waits to be looked over before anything is written of it. The fold clears this when the document goes on."""


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question of a table, asked of each source."""

    id: Id
    heading: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
    instructions: Annotated[str, msgspec.Meta(max_length=INSTRUCTIONS_CHARACTERS_MAX)] = ""
    format: Literal["text", "number", "yes_no", "date", "one_of"] = "text"
    options: tuple[str, ...] = ()
    """The answers to choose from, for `one_of`."""
    sample: tuple[Id, ...] = ()
    """Only these sources are asked: the question is being tried. Empty: all are."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A heading with one prose cell, or, where it has columns, a table of cells."""

    id: Id
    heading: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
    instructions: Annotated[str, msgspec.Meta(max_length=INSTRUCTIONS_CHARACTERS_MAX)] = ""
    depends_on: tuple[Need, ...] = ()
    """The sections whose finished text this one is written from; `table:column`: only that column's answers."""
    columns: tuple[Column, ...] = ()


class SourceGiven(msgspec.Struct, frozen=True, kw_only=True):
    """A source whose bytes are in the object store."""

    id: Id
    name: str
    media_type: str
    size_bytes: int
    digest: str
    """SHA-256 of the bytes, hexadecimal."""
    url: str = ""
    """Where the bytes came from, if from the web."""
    watch: str = ""
    """The watch that gave it, if one did; of a folder's, `name` is the file's path below the folder."""


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's way back to its source: which marker in the text, which passage, which words."""

    start: int
    """Where its marker begins in the cell's text, in Unicode code points."""
    end: int
    source: str
    passage: int
    quote: str = ""
    verified: bool = False
    """The quote was found in the passage, white space and typography folded."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What writing some cells will come to, as far as that can be known before."""

    cells: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    """US dollars."""
    duration_ms: int = 0


ReasonKind = Literal[
    "brief",
    "model",
    "heading",
    "instructions",
    "depends_on",
    "column",
    "source_added",
    "source_replaced",
    "source_removed",
    "section",
    "rewrite",
    "unlocked",
    "new",
    "inputs",
]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a cell's text is not what its inputs ask for any more: what changed, and of which section or source."""

    kind: ReasonKind
    what: str = ""
    """A section, a source, or `section:column`; of `section`: the one that was rewritten."""


ErrorKind = Literal[
    "rate_limited",
    "overloaded",
    "server_error",
    "connection",
    "cut",
    "stalled",
    "slow_start",
    "garbled",
    "refused",
    "bad_answer",
    "repetition",
    "too_long",
    "context_length",
    "unauthorized",
    "bad_request",
    "model_unknown",
    "deadline",
    "budget",
    "poison",
    "no_model",
    "bad_source",
    "bad_outline",
]
"""Everything that can go wrong with a call, an attempt, a cell or a source. One row each in the writer's table."""

CancelReason = Literal["stopped", "superseded", "writer_stopping", "bus_lost"]
PauseReason = Literal["stop_asked", "last_viewer_left", "budget_spent", "plan_ready"]
ResumeReason = Literal["asked", "viewer_returned", "edited"]
CallOutcome = Literal["finished", "failed", "cancelled", "lost_race"]
