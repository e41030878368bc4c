"""Which paths below a folder a glob means. Pure.

`*` and `?` stay within a name, `**` by itself stands for any folders (at the end: for every file below), `[…]` is one of several
characters. No regular expression is made of it: `fnmatch`'s takes for ever with many stars, and globs come from strangers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

GLOBS_MAX = 1_000
ANY_FOLDERS = "**"
ANY_TEXT = "*"
ANY_CHARACTER = "?"
_PART = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)


def matches(glob: str, path: str) -> bool:
    """Whether the glob means this file."""
    folders = _parsed(glob)
    names = path.split("/")
    # Before each part of the glob: how many of the path's names it may have taken so far.
    taken = {0}
    for number, parts in enumerate(folders):
        if parts == (ANY_FOLDERS,):
            least = 1 if number == len(folders) - 1 else 0
            taken = set(range(min(taken) + least, len(names) + 1))
        else:
            taken = {at + 1 for at in taken if at < len(names) and _is_named(parts, names[at])}
        if not taken:
            return False
    return len(names) in taken


@lru_cache(GLOBS_MAX)
def _parsed(glob: str) -> tuple[tuple[str, ...], ...]:
    return tuple((ANY_FOLDERS,) if name == ANY_FOLDERS else tuple(_PART.findall(name)) for name in glob.split("/"))


def _is_named(parts: Sequence[str], name: str) -> bool:
    """Only the last star has to be reconsidered: a name that could be had with an earlier one is had with this one, too."""
    part = character = 0
    star, resume = -1, 0
    while character < len(name):
        if part < len(parts) and parts[part] == ANY_TEXT:
            star, resume = part, character
            part += 1
        elif part < len(parts) and _is_one(parts[part], name[character]):
            part += 1
            character += 1
        elif star >= 0:
            resume += 1
            part, character = star + 1, resume
        else:
            return False
    return all(rest == ANY_TEXT for rest in parts[part:])


def _is_one(part: str, character: str) -> bool:
    if part == ANY_CHARACTER:
        return True
    if len(part) == 1:
        return part == character
    inside, wanted = part[1:-1], True
    if inside.startswith("!"):
        inside, wanted = inside[1:], False
    return _is_among(inside, character) is wanted


def _is_among(characters: str, character: str) -> bool:
    """`a-c` is all from a to c; a hyphen at either end is one."""
    at = 0
    while at < len(characters):
        if at + 2 < len(characters) and characters[at + 1] == "-":
            if characters[at] <= character <= characters[at + 2]:
                return True
            at += 3
        else:
            if characters[at] == character:
                return True
            at += 1
    return False
