"""What is sent to the HTTP face, and what it answers. Shapes and limits only; what needs more than one look is checked apart."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from schemas.values import (
    BRIEF_CHARACTERS_MAX,
    SECTIONS_MAX,
    SOURCE_BYTES_MAX,
    SOURCES_MAX,
    TITLE_CHARACTERS_MAX,
    Policy,
    Section,
)

NAME_CHARACTERS_MAX = 300
URL_CHARACTERS_MAX = 2_000
OUTLINE_CHARACTERS_MAX = 500_000
UPLOAD_PATTERN = r"^[0-9a-f]{32}$"
DOCUMENT_PATTERN = r"^[0-9a-f]{32}$"

Title = Annotated[str, msgspec.Meta(max_length=TITLE_CHARACTERS_MAX)]
Brief = Annotated[str, msgspec.Meta(min_length=1, max_length=BRIEF_CHARACTERS_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
SourceText = Annotated[str, msgspec.Meta(min_length=1, max_length=SOURCE_BYTES_MAX)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=URL_CHARACTERS_MAX)]
UploadId = Annotated[str, msgspec.Meta(pattern=UPLOAD_PATTERN)]


class SourceAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One source: `{name, text}`, `{name?, url}` or `{name?, upload}`."""

    name: Name | None = None
    text: SourceText | None = None
    url: Url | None = None
    upload: UploadId | None = None

    def __post_init__(self) -> None:
        """ValueError unless it is one of the three; msgspec says where."""
        if sum(given is not None for given in (self.text, self.url, self.upload)) != 1:
            raise ValueError("A source has exactly one of `text`, `url` and `upload`")
        if self.text is not None and self.name is None:
            raise ValueError("A source given as `text` needs a `name`")


class OutlineAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outline of the reader's own; `schemas.outline.check_outline` says whether it can be written."""

    sections: Annotated[tuple[Section, ...], msgspec.Meta(min_length=1, max_length=SECTIONS_MAX)]


OutlineGiven = OutlineAsked | Annotated[str, msgspec.Meta(min_length=1, max_length=OUTLINE_CHARACTERS_MAX)]


class DocumentAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A document to be written."""

    brief: Brief
    title: Title = ""
    sources: Annotated[tuple[SourceAsked, ...], msgspec.Meta(max_length=SOURCES_MAX)] = ()
    outline: OutlineGiven | None = None
    """Sections, or Markdown: see `schemas.outline_markdown`."""
    policy: Policy = Policy()
    template: Name | None = None
    """In place of an outline: one of `GET /api/templates`."""

    def __post_init__(self) -> None:
        """ValueError for a brief of white space, and for two outlines."""
        if self.template is not None and self.outline is not None:
            raise ValueError("The `template` has an outline of its own: leave one of them out")
        if not self.brief.strip():
            raise ValueError("The `brief` is empty")


class DemoAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the ready-made documents; empty: the first."""

    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARACTERS_MAX)] = ""


class DocumentMade(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the right to read it, `key` the right to change, stop and delete it. Both links are absolute."""

    id: str
    key: str
    url: str
    events: str


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """One more key of a document, for somebody else: shown once, kept nowhere."""

    key: str


class RightsShown(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever asks may do, beside reading."""

    may_change: bool


class UploadMade(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's `upload` names, for an hour."""

    upload: str


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made document."""

    name: str
    title: str
    brief: str
    description: str
    sections: int
    sources: int


class TemplateAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outline to be kept: given, or that of a document."""

    name: Name
    description: Annotated[str, msgspec.Meta(max_length=BRIEF_CHARACTERS_MAX)] = ""
    outline: OutlineGiven | None = None
    document: Annotated[str, msgspec.Meta(pattern=DOCUMENT_PATTERN)] | None = None

    def __post_init__(self) -> None:
        """ValueError unless it is one of the two."""
        if (self.outline is None) == (self.document is None):
            raise ValueError("A template has exactly one of `outline` and `document`")


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A document's outline without its document."""

    id: str
    name: str
    description: str
    sections: tuple[Section, ...]
    is_own: bool = False
    """Saved by who asks, not one of those that come with Scriptorium."""


class Templates(msgspec.Struct, frozen=True, kw_only=True):
    """All that may be used."""

    templates: tuple[Template, ...]


class DuplicateAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy's title; empty: that of the original."""

    title: Title = ""


class Demos(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    demos: tuple[Demo, ...]


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars per million tokens."""

    input: float
    output: float


class ModelKnown(msgspec.Struct, frozen=True, kw_only=True):
    """A model that may be asked. `uses` are its places in the chains, as `write 1`; none: it was found at its provider."""

    name: str
    provider: str
    uses: tuple[str, ...] = ()
    price: ModelPrice | None = None


class ProviderKnown(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for models. `key_env` is the name of an environment variable, never its value."""

    name: str
    protocol: str
    key_env: str | None
    has_key: bool
    max_concurrent: int | None
    trouble: str = ""
    """Why it does not list its models; empty where it does."""


class ModelsKnown(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured and what was found. `limits` are those of the settings, with their units in their names."""

    providers: tuple[ProviderKnown, ...]
    models: tuple[ModelKnown, ...]
    limits: dict[str, int]


class ModelAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model is to be tried: `provider/model`."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]


class ModelTried(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it answered. `message` says in plain words why it did not."""

    ok: bool
    message: str
    first_token_ms: int | None
    duration_ms: int
    said: str


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field; `pointer` is a JSON pointer as a URL fragment (RFC 6901, section 6)."""

    pointer: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal (RFC 9457)."""

    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`: this process answers; `ready`: a document could be written."""

    status: Literal["ok", "ready"]


class CaughtUp(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Sent after a resume: so many events had been missed. Not in the log, and changes nothing."""

    events: int
