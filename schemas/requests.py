"""Bodies of the HTTP face, decoded strictly: an unknown field is a mistake, and is told so."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schemas.values import BRIEF_CHARACTERS_MAX, SOURCES_MAX, TITLE_CHARACTERS_MAX, Policy, Section

NAME_CHARACTERS_MAX = 300


class SourceWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source as it is handed over: its text, or a file uploaded before."""

    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARACTERS_MAX)] = ""
    text: str | None = None
    upload: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")] | None = None
    url: str | None = None


class OutlineWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sections in reading order."""

    sections: tuple[Section, ...]


class CreateDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/documents`."""

    brief: Annotated[str, msgspec.Meta(min_length=1, max_length=BRIEF_CHARACTERS_MAX)]
    title: Annotated[str, msgspec.Meta(max_length=TITLE_CHARACTERS_MAX)] = ""
    sources: Annotated[tuple[SourceWanted, ...], msgspec.Meta(max_length=SOURCES_MAX)] = ()
    outline: OutlineWanted | None = None
    policy: Policy = Policy()


class Demo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/demo`: which of the ready-made documents."""

    name: str
