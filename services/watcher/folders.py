"""Looks at folders and reads files, and never leaves them: no symbolic link is followed, at no step of the way.

A path is opened folder by folder, so that one which is exchanged for a link between the look and the reading leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from schemas.values import SOURCE_BYTES_MAX
from services.watcher.core import Stat
from services.watcher.globs import matches

ENTRIES_MAX = 20_000
"""Files and folders that one look goes through."""
DEPTH_MAX = 16
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe that somebody put in a file's place is opened at once, and found to be none."""


class FolderError(Exception):
    """A look that came to nothing, so that nothing may be concluded from it: a sentence for the reader."""


class ChangedError(Exception):
    """A file is another one than the look had found."""


class _TooMuchError(Exception):
    """Whatever is in there, it is not a folder of sources."""


def listing(folder: Path, glob: str) -> dict[str, Stat]:
    """Every regular file that the glob means, by its path below the folder. What begins with a dot is nobody's source. FolderError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return {path: stat for path, stat in _walked(descriptor) if matches(glob, path)}
        finally:
            os.close(descriptor)
    except OSError as error:
        msg = f"The folder cannot be read: {error.strerror}."
        raise FolderError(msg) from None
    except _TooMuchError as error:
        raise FolderError(str(error)) from None


def _walked(root: int) -> Iterator[tuple[str, Stat]]:
    entries = 0
    for where, folders, names, descriptor in os.fwalk(".", dir_fd=root, follow_symlinks=False, onerror=_raise):
        below = "" if where == "." else f"{where.removeprefix('./')}/"
        folders[:] = [name for name in folders if not name.startswith(".") and _is_folder(name, descriptor)]
        entries += len(folders) + len(names)
        if entries > ENTRIES_MAX:
            msg = f"The folder has more than {ENTRIES_MAX:,} entries."
            raise _TooMuchError(msg)
        if below.count("/") >= DEPTH_MAX and folders:
            msg = f"The folder is more than {DEPTH_MAX} folders deep."
            raise _TooMuchError(msg)
        for name in names:
            if name.startswith(".") or name.endswith("~") or not _is_text(below + name):
                continue
            try:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # Gone in the meantime.
            if modes.S_ISREG(found.st_mode):
                yield below + name, _stat(found)


def _is_folder(name: str, at: int) -> bool:
    """Not a link to one."""
    try:
        return modes.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _raise(error: OSError) -> None:
    """A part that cannot be looked at is not empty: the look is worth nothing."""
    raise error


def content(folder: Path, path: str, stat: Stat) -> bytes:
    """The bytes of a file that is as a look found it. ChangedError where it is not, also while it was read; OSError."""
    with ExitStack() as stack:
        at = _opened(stack, os.fspath(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, None)
        *folders, name = path.split("/")
        try:
            for part in folders:
                at = _opened(stack, part, _FOLDER, at)
            file = _opened(stack, name, _FILE, at)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
                raise ChangedError(path) from None
            raise
        _expect(file, path, stat)
        data = bytearray()
        while len(data) <= SOURCE_BYTES_MAX and (chunk := os.read(file, 1 << 20)):
            data += chunk
        _expect(file, path, stat)
        if len(data) != stat.size_bytes:
            raise ChangedError(path)
        return bytes(data)


def _opened(stack: ExitStack, path: str, flags: int, at: int | None) -> int:
    descriptor = os.open(path, flags, dir_fd=at)
    stack.callback(os.close, descriptor)
    return descriptor


def _expect(file: int, path: str, stat: Stat) -> None:
    found = os.fstat(file)
    if not modes.S_ISREG(found.st_mode) or _stat(found) != stat:
        raise ChangedError(path)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, found.st_mtime_ns, found.st_ino)


def _is_text(path: str) -> bool:
    """A name that is no UTF-8 can't be written down."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
