"""What is sent to the HTTP face, and what it answers. Shapes and limits only; what needs more than one look is checked apart."""

from __future__ import annotations

from typing import Annotated

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


class DocumentAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A document to be written."""

    brief: Brief
    title: Title = ""
    sources: Annotated[tuple[SourceAsked, ...], msgspec.Meta(max_length=SOURCES_MAX)] = ()
    outline: OutlineAsked | Annotated[str, msgspec.Meta(min_length=1, max_length=OUTLINE_CHARACTERS_MAX)] | None = None
    """Sections, or Markdown: see `schemas.outline_markdown`."""
    policy: Policy = Policy()

    def __post_init__(self) -> None:
        """ValueError for a brief of white space."""
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


class Demos(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    demos: tuple[Demo, ...]


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


class CaughtUp(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Sent after a resume: so many events had been missed. Not in the log, and changes nothing."""

    events: int
