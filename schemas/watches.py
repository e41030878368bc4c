"""What a document follows by itself: folders and addresses, and what was seen of them. Kept in the bucket `watches`.

A watch's value says what is wanted and how it stands; what it has changed in the document is in the document's log. Times are
milliseconds since the Unix epoch.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec.structs import replace

from schemas.document import Document, Source
from schemas.requests import Url
from schemas.values import Id

WATCHES_MAX = 20
"""Of one document."""
FILES_MAX = 300
"""That one watch may make sources of."""
GLOB_CHARACTERS_MAX = 200
FOLDER_CHARACTERS_MAX = 64
ALL_FILES = "**"
TOLD_AT_CHARACTERS_MAX = 16
WATCH_CHARACTERS = 32

FolderName = Annotated[str, msgspec.Meta(min_length=1, max_length=FOLDER_CHARACTERS_MAX)]
Glob = Annotated[str, msgspec.Meta(min_length=1, max_length=GLOB_CHARACTERS_MAX)]


class FolderWatched(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Each file of a folder that `glob` matches is a source. `folder` is a name from the settings, never a path."""

    folder: str
    glob: str = ALL_FILES


class AddressWatched(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What is at an address is a source: `source`, which was there before, or one of the watch's own (empty)."""

    url: str
    source: str = ""


Watched = FolderWatched | AddressWatched


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """How a watch stands."""

    told_at_ms: int = 0
    """When somebody last said that it has changed."""
    looking_since_ms: int = 0
    """When the last look began."""
    looked_at_ms: int = 0
    """When the last look ended; before `looking_since_ms`: it has not yet, or its watcher died."""
    next_look_at_ms: int = 0
    held_until_ms: int = 0
    """No look before this: the server asked for patience."""
    failures: int = 0
    """Looks in a row that came to nothing."""
    trouble: str = ""
    """Why, or what is left out: sentences for the reader."""
    changed_at_ms: int = 0
    """When it last changed the document."""
    files: int = 0
    """That the folder has, as far as they are wanted."""
    etag: str = ""
    last_modified: str = ""
    digest: str = ""
    """SHA-256 of the bytes that `etag` and `last_modified` tell of."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """One watch. Its id is the digest of its webhook's token, which is made of `nonce` and a secret of the gateways."""

    id: str
    document: str
    what: Watched
    made_at_ms: int
    nonce: str
    state: WatchState = WatchState()

    @property
    def called(self) -> str:
        """What it watches, for the history."""
        return self.what.folder if isinstance(self.what, FolderWatched) else self.what.url


def watch_id(token: str) -> str:
    """The watch that a webhook's token belongs to: whoever reads the bucket can't go back."""
    return hashlib.sha256(b"hook:" + token.encode()).hexdigest()[:WATCH_CHARACTERS]


def sources_of(watch: Watch, document: Document) -> dict[str, Source]:
    """The document's sources that follow this watch, by the name of the file or, of an address, by the empty name."""
    match watch.what:
        case AddressWatched(source=source) if source in document.sources:
            return {"": document.sources[source]}
        case _:
            own = [source for source in document.sources.values() if source.given.watch == watch.id]
    return {source.given.name if isinstance(watch.what, FolderWatched) else "": source for source in own}


def told(watch: Watch, at_ms: int) -> Watch:
    """The watch after somebody said that what it looks at has changed. Who is still to look for an earlier word finds it, too."""
    state = watch.state
    if at_ms <= state.told_at_ms or state.told_at_ms > state.looking_since_ms:
        return watch
    return replace(watch, state=replace(watch.state, told_at_ms=at_ms))


# -- What is asked over HTTP, and answered ------------------------------------------------------------------------------


class WatchAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`{folder, glob?}` or `{url, source?}`."""

    folder: FolderName | None = None
    glob: Glob | None = None
    url: Url | None = None
    source: Id | None = None

    def __post_init__(self) -> None:
        """ValueError unless it is one of the two; msgspec says where."""
        if (self.folder is None) == (self.url is None):
            raise ValueError("A watch has exactly one of `folder` and `url`")
        if self.glob is not None and self.folder is None:
            raise ValueError("The `glob` is for a `folder`")
        if self.source is not None and self.url is None:
            raise ValueError("The `source` is for a `url`: each file of a folder is one by itself")
        if self.glob is not None and (self.glob.startswith("/") or ".." in self.glob.split("/")):
            raise ValueError("The `glob` is of names below the folder, such as `**/*.md`")


class WatchShown(msgspec.Struct, frozen=True, kw_only=True):
    """One watch, as it stands. Times are milliseconds since the Unix epoch; 0: never."""

    id: str
    what: Watched
    sources: tuple[str, ...]
    """Ids of the sources that follow it."""
    files: int
    looked_at_ms: int
    changed_at_ms: int
    next_look_at_ms: int
    trouble: str
    hook: str | None = None
    """The webhook's address; only for whoever has the document's key."""


class WatchesShown(msgspec.Struct, frozen=True, kw_only=True):
    """All of a document's."""

    watches: tuple[WatchShown, ...]


class FoldersOffered(msgspec.Struct, frozen=True, kw_only=True):
    """The folders that may be watched here, by name."""

    folders: tuple[str, ...]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Watch).decode
