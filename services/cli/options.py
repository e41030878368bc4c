"""Arguments and options that many commands share, worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from services.cli.asking import GATEWAY, KEY_VARIABLE

WRITING, LOOKING, CHANGING = "Write and run", "Look", "Change"
SOURCES, LIBRARY, RUNNING = "Sources and tables", "Keep and take away", "Run the house"
"""Panels of the help."""

Service = Literal["gateway", "conductor", "planner", "ingester", "writer", "watcher", "simulator"]
Part = Literal["nats", "gateway", "conductor", "planner", "ingester", "writer", "watcher", "simulator"]

Doc = Annotated[
    str,
    typer.Argument(
        metavar="DOC", help="A document: its id, the beginning of one that was made from here, its address, or `last`."
    ),
]
Cell = Annotated[
    str, typer.Argument(metavar="CELL", help="A section's id, or SECTION:SOURCE:COLUMN in a table; `show` lists them.")
]
Cells = Annotated[
    list[str],
    typer.Argument(metavar="CELL…", help="Sections' ids, or SECTION:SOURCE:COLUMN in a table; `show` lists them."),
]
Section = Annotated[str, typer.Argument(metavar="SECTION", help="A section's id; `show` lists them.")]
Gateway = Annotated[
    str | None,
    typer.Option(
        "--gateway", metavar="URL", help=f"Where the gateway is; else where the document was made, else {GATEWAY}."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on standard output.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help=f"Holds the key of a document that was not made from here; or put the key into {KEY_VARIABLE}.",
    ),
]
Who = Annotated[str, typer.Option("--who", metavar="NAME", help="Your name, for the document's history.")]
IfMatch = Annotated[
    int | None,
    typer.Option(
        "--if-match",
        metavar="SEQUENCE",
        min=0,
        help="Refuse where somebody has edited the document since this moment of its log (`show` tells it).",
    ),
]
PreviewOnly = Annotated[
    bool, typer.Option("--preview", help="Only show what would be written anew, why, and what it costs.")
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        help="Watch until what follows is written. A document pauses by itself where nobody watches it.",
    ),
]
At = Annotated[
    int | None,
    typer.Option(
        "--at", metavar="SEQUENCE", min=1, help="As it was when its log ended there; `history` lists moments."
    ),
]
