"""Writes `docs/cli.md` from the commands' own help: `python -m services.cli.reference`; `--check` fails when it says anything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from services.cli import options
from services.cli.asking import KEY_VARIABLE
from services.cli.keyring import HOME_VARIABLE
from services.cli.main import app

FILE: Final = Path(__file__).parents[2] / "docs" / "cli.md"
PANELS: Final = (
    options.WRITING,
    options.LOOKING,
    options.CHANGING,
    options.SOURCES,
    options.LIBRARY,
    options.RUNNING,
)
SHARED: Final = ("doc", "--preview", "--if-match", "--wait", "--who", "--at", "--key-file", "--gateway", "--json")
"""Arguments and options that are said once, for all commands that have them."""
HEAD: Final = f"""# The command line

Written by `python -m services.cli.reference` from the commands' own help, which `scriptorium COMMAND --help` prints; `make check` fails
when they say different things.

```sh
scriptorium write "How did scribes copy books?" --source notes.md --source https://example.org/scribes
scriptorium show last                                              # sections, cells, sources, cost
scriptorium edit last --instructions tools="Name three tools" --preview   # what that would rewrite, and what it costs
scriptorium edit last --instructions tools="Name three tools"
scriptorium history last --compare 20 31
scriptorium export last -o book.docx
```

**Which document.** Documents that are made from a terminal are remembered there: `last` is the newest, and the first few characters of an
id are enough. Any other is named by its id or its address. Whoever knows those may read a document; changing it takes its key.

**Keys** are kept in the user's data folder (`{HOME_VARIABLE}` names another), one file each, readable by nobody else. For a document that
was made elsewhere, `--key-file` names a file that holds its key, or `{KEY_VARIABLE}` does; `remember` takes a
link for editing for good. A key is never an argument, since every user of the machine sees those, and never printed, but in the link that
`share` makes.

**What it says.** Results go to standard output, all else to standard error. With `--json` the result is one JSON document. Where nobody
sits at a terminal, or `NO_COLOR` is set, nothing is drawn over: each thing that is done is a line. Exit codes: 0; 1, refused or failed;
2, bad input; 130, interrupted. A change that somebody else's change came before is refused with what they did (`--if-match`).
"""


def reference() -> str:
    """The file's content."""
    return "\n".join([HEAD, *_shared(), *(line for panel in PANELS for line in _panel(panel))]) + "\n"


def _commands() -> Mapping[str, Any]:
    group: Any = get_command(app)  # Typer's own copy of click is not typed.
    return group.commands


def _shared() -> Iterator[str]:
    found: dict[str, Any] = {}
    for command in _commands().values():
        found |= {one.opts[0]: one for one in command.params if one.opts[0] in SHARED}
    yield "## What many commands share"
    yield ""
    yield from _table([found[name] for name in SHARED])


def _panel(panel: str) -> Iterator[str]:
    yield f"\n## {panel}"
    for name, command in _commands().items():
        if command.rich_help_panel == panel:
            yield from _command(name, command)


def _command(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401
    arguments = [one for one in command.params if not one.opts[0].startswith("-")]
    own = [one for one in command.params if one.opts[0] not in SHARED]
    shared = [one.opts[0] for one in command.params if one.opts[0] in SHARED and one not in arguments]
    words = [one.metavar or one.name.upper() for one in arguments]
    written = [word if one.required else f"[{word}]" for one, word in zip(arguments, words, strict=True)]
    yield f"\n### `{' '.join(['scriptorium', name, *written])}`\n"
    yield from (line.strip() for line in (command.help or "").splitlines())
    if own:
        yield ""
        yield from _table(own)
    if shared:
        yield f"\nAlso {', '.join(f'`{option}`' for option in shared)}."


def _table(parameters: list[Any]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for one in parameters:
        yield f"| `{_spelled(one)}` | {_help(one)} |"


def _spelled(one: Any) -> str:  # noqa: ANN401
    if not one.opts[0].startswith("-"):
        return str(one.metavar or one.name.upper()).replace("|", "\\|")
    names = ", ".join([*one.opts, *one.secondary_opts])
    return names if one.is_flag else f"{names} {one.metavar or one.name.upper()}".replace("|", "\\|")


def _help(one: Any) -> str:  # noqa: ANN401
    said = str(one.help or "").replace("|", "\\|")
    default = one.default
    if isinstance(default, str | int | Path) and not isinstance(default, bool) and str(default):
        said += f" Default: `{default}`."
    return said


def main() -> None:
    """Write the file, or check it."""
    content = reference()
    if "--check" not in sys.argv:
        FILE.write_text(content, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != content:
        sys.exit("docs/cli.md is not what the commands say of themselves: make generated")


if __name__ == "__main__":
    main()
