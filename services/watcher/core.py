"""What is to be done about what a watcher sees, and when it looks next. Pure: time and chance come as data.

A folder is looked at again and again. What two looks in a row find the same (size, time, inode) is *still*, and only that is read;
what two looks in a row do not find is gone. So a file that is being written is never read, and one that an editor replaces by a
new one is never missed for a moment. What is to be done follows from what the folder has and from what the document has, and not
from what was done before: whoever asks twice, or after a crash, or beside another watcher, is told what is still missing.

An address is asked with what its server said of the version that the document has, so that an answer costs nothing while it is
the same. Times are milliseconds since the Unix epoch; `luck` is drawn anew for each look, from 0 up to 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from schemas.values import SOURCE_BYTES_MAX
from schemas.watches import FILES_MAX, WatchState

STILL_LOOKS = 2
NAME_CHARACTERS_MAX = 300
"""Of a file's path below its folder, which is its source's name."""
TROUBLES_SHOWN_MAX = 3

FOLDER_REST_MS_MAX = 10_000
"""A folder that cannot be read is looked at as often as this, at last."""
LOOK_SHARE = 4
"""A look that took long is followed by a rest of so many times as long."""

ADDRESS_REST_MS_MAX = 3_600_000
"""Likewise an address."""
DOUBLINGS_MAX = 16
CLAIM_MS = 5_000
"""Who looks has this long before another watcher may look, too. Two that look at once do no harm."""
TOLD_GAP_MS = 1_000
"""However often somebody says that it has changed, an address is left alone for this long after a look."""
JITTER = 0.1


# -- Folders ------------------------------------------------------------------------------------------------------------


class Stat(msgspec.Struct, frozen=True):
    """What tells one version of a file from another without reading it."""

    size_bytes: int
    changed_ns: int
    inode: int


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One path below the folder. `stat`: None where the last look did not find it; `looks` in a row found it so."""

    stat: Stat | None
    looks: int = 1
    digest: str = ""
    """Of its bytes, once it was read while it was so."""
    trouble: str = ""
    """Why it could not be."""


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """What the looks so far come to."""

    files: Mapping[str, File] = {}
    looks: int = 0
    refused: tuple[str, ...] = ()
    """Names that no source can have."""


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is no source yet."""

    path: str
    stat: Stat
    digest: str


class Replace(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is another one than its source."""

    source: str
    path: str
    stat: Stat
    digest: str


class Remove(msgspec.Struct, frozen=True, kw_only=True):
    """A source whose file is gone."""

    source: str
    path: str


Action = Add | Replace | Remove


class Has(msgspec.Struct, frozen=True, kw_only=True):
    """What the document has of one path."""

    source: str
    digest: str


def listed(folder: Folder, listing: Mapping[str, Stat]) -> Folder:
    """The folder after one more look."""
    files: dict[str, File] = {}
    refused: list[str] = []
    for path, stat in listing.items():
        if len(path) > NAME_CHARACTERS_MAX or not path.isprintable():
            refused.append(path)
            continue
        known = folder.files.get(path)
        if known is None or known.stat != stat:
            files[path] = File(stat=stat)
        else:
            files[path] = replace(known, looks=min(known.looks + 1, STILL_LOOKS))
    for path, known in folder.files.items():
        if path in files or path in refused:
            continue
        looks = known.looks + 1 if known.stat is None else 1
        if looks <= STILL_LOOKS:  # Later it is as if it had never been there.
            files[path] = File(stat=None, looks=looks)
    return Folder(files=files, looks=min(folder.looks + 1, STILL_LOOKS), refused=tuple(sorted(refused)))


def unread(folder: Folder) -> tuple[tuple[str, Stat], ...]:
    """The files that are to be read: still, not too large, and not read yet."""
    return tuple(
        (path, file.stat)
        for path, file in sorted(folder.files.items())
        if file.stat is not None
        and file.looks >= STILL_LOOKS
        and file.stat.size_bytes <= SOURCE_BYTES_MAX
        and not file.digest
        and not file.trouble
    )


def was_read(folder: Folder, path: str, stat: Stat, digest: str, trouble: str = "") -> Folder:
    """The folder after a file was read, as `stat` tells it; or could not be."""
    file = folder.files.get(path)
    if file is None or file.stat != stat:
        return folder
    return replace(folder, files={**folder.files, path: replace(file, digest=digest, trouble=trouble)})


def changed_underhand(folder: Folder, path: str) -> Folder:
    """The folder after a file turned out to be another one than the look had found: it is not still."""
    file = folder.files.get(path)
    if file is None or file.stat is None:
        return folder
    return replace(folder, files={**folder.files, path: File(stat=file.stat)})


def due(folder: Folder, sources: Mapping[str, Has], room: int) -> tuple[Action, ...]:
    """What makes the document's sources what the folder has. `room` is for so many more sources."""
    removed = [Remove(source=has.source, path=path) for path, has in sorted(sources.items()) if _is_gone(folder, path)]
    replaced: list[Action] = []
    added: list[Action] = []
    for path, file in sorted(folder.files.items()):
        if file.stat is None or not file.digest:
            continue
        has = sources.get(path)
        if has is None:
            added.append(Add(path=path, stat=file.stat, digest=file.digest))
        elif has.digest != file.digest:
            replaced.append(Replace(source=has.source, path=path, stat=file.stat, digest=file.digest))
    room = min(room + len(removed), FILES_MAX - len(sources) + len(removed))
    return (*removed, *replaced, *added[: max(room, 0)])


def _is_gone(folder: Folder, path: str) -> bool:
    file = folder.files.get(path)
    if file is None:
        return folder.looks >= STILL_LOOKS
    return file.stat is None and file.looks >= STILL_LOOKS


def troubles(folder: Folder, left_out: int) -> str:
    """What of the folder is not in the document, and why; `left_out` files for want of room."""
    lines = [f"{path!r} cannot be the name of a source." for path in folder.refused]
    for path, file in sorted(folder.files.items()):
        if file.trouble:
            lines.append(f"{path}: {file.trouble}")
        elif file.stat is not None and file.stat.size_bytes > SOURCE_BYTES_MAX:
            lines.append(f"{path} has more than {SOURCE_BYTES_MAX // 1024**2} MB.")
    if len(lines) > TROUBLES_SHOWN_MAX:
        lines[TROUBLES_SHOWN_MAX - 1 :] = [f"So it is with {len(lines) - TROUBLES_SHOWN_MAX + 1} more."]
    if left_out > 0:
        lines.append(f"{left_out} more files are left out: there is no room for so many sources.")
    return " ".join(lines)


def folder_rest_ms(scan_ms: int, took_ms: float, failures: int) -> float:
    """How long until the next look: longer where a look takes long, and where it comes to nothing."""
    rest_ms = max(scan_ms, LOOK_SHARE * took_ms)
    return (
        rest_ms if failures == 0 else min(rest_ms * 2 ** min(failures, DOUBLINGS_MAX), max(FOLDER_REST_MS_MAX, rest_ms))
    )


# -- Addresses ----------------------------------------------------------------------------------------------------------


class Unchanged(msgspec.Struct, frozen=True):
    """Still the version that was asked about: 304."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes that `digest` names are there now."""

    digest: str
    etag: str = ""
    last_modified: str = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """It was not to be had."""

    message: str
    retry_after_ms: int | None = None


Answer = Unchanged | Version | Refused


def due_at_ms(state: WatchState) -> int:
    """When an address is to be asked next."""
    is_open = state.looking_since_ms > state.looked_at_ms
    is_told = state.told_at_ms > state.looking_since_ms
    wanted_ms = state.told_at_ms if is_told else state.next_look_at_ms
    free_ms = state.looking_since_ms + CLAIM_MS if is_open else 0
    rested_ms = state.looked_at_ms + TOLD_GAP_MS if is_told and state.looked_at_ms else 0
    return max(wanted_ms, free_ms, rested_ms, state.held_until_ms)


def claimed(state: WatchState, at_ms: int) -> WatchState:
    """A watcher looks. Later than whoever said that it has changed, whatever the clocks say."""
    return replace(state, looking_since_ms=max(at_ms, state.told_at_ms))


def asked_about(state: WatchState, digest: str | None) -> tuple[str, str]:
    """ETag and Last-Modified of the version that the document has; empty where they are of another one."""
    return (state.etag, state.last_modified) if digest is not None and digest == state.digest else ("", "")


def answered(state: WatchState, answer: Answer, at_ms: int, every_ms: int, luck: float) -> WatchState:
    """How the watch stands after a look that ended at `at_ms`."""
    state = replace(state, looked_at_ms=max(at_ms, state.looking_since_ms))
    match answer:
        case Refused(message=message, retry_after_ms=retry_after_ms):
            failures = state.failures + 1
            rest_ms = min(every_ms * 2 ** min(failures, DOUBLINGS_MAX), max(ADDRESS_REST_MS_MAX, every_ms))
            held_until_ms = 0 if retry_after_ms is None else at_ms + retry_after_ms
            return replace(
                state,
                failures=failures,
                trouble=message,
                held_until_ms=held_until_ms,
                # Half of it is drawn: a server that comes back is not asked by all at once.
                next_look_at_ms=max(at_ms + int(rest_ms * (1 + luck) / 2), held_until_ms),
            )
        case Version(digest=digest, etag=etag, last_modified=last_modified):
            state = replace(state, digest=digest, etag=etag, last_modified=last_modified)
        case Unchanged():
            pass
    rest_ms = int(every_ms * (1 - JITTER + 2 * JITTER * luck))
    return replace(state, failures=0, trouble="", held_until_ms=0, next_look_at_ms=at_ms + rest_ms)
