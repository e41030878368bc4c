"""`scriptorium export`: a document as a file, whole or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from services.cli import options
from services.cli.asking import Asking
from services.cli.plain import plain
from services.cli.refused import refused
from services.client import ExportFormat

BINARY = frozenset({"docx"})
FORMATS: tuple[str, ...] = get_args(ExportFormat)


def export(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    doc: options.Doc,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", metavar="FORMAT", help="md, html, docx, csv or json; else as --output ends, else md."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Into this file, not to standard output.")
    ] = None,
    section: Annotated[
        str | None, typer.Option(metavar="SECTION", help="Which table, for csv, where there are several.")
    ] = None,
    at: options.At = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Take a document away as Markdown, HTML, Word, CSV or JSON, with its citations numbered and its sources listed."""
    wanted = _format(format_, output, json=json)
    if output is None and wanted in BINARY and sys.stdout.isatty():
        msg = f"--format {wanted} is nothing for a terminal: name a file with -o, or pipe it."
        raise refused(msg)
    if output is not None:
        _check(output, force=force)
    asking = Asking(gateway=gateway)

    async def work() -> int:
        async with asking.document(doc) as document:
            data = await document.export(wanted, section=section, at=at)
        if output is not None:
            _write(output, data, force=force)
            asking.say(f"{output}: {len(data):,} bytes")
        elif sys.stdout.isatty():
            typer.echo(plain(data.decode()))
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return 0

    asking.run(work())


def _format(named: str | None, output: Path | None, *, json: bool) -> ExportFormat:
    """What was asked for, else what the file's name says."""
    if json and named not in {None, "json"}:
        msg = f"--json is --format json, and not {named}."
        raise refused(msg)
    ending = output.suffix.removeprefix(".").lower() if output is not None else ""
    wanted = "json" if json else named or {"markdown": "md", "htm": "html", "": "md"}.get(ending, ending)
    if wanted not in FORMATS:
        where = f"--format {named}" if named else f"--output {output}"
        msg = f"{where}: a document is to be had as {', '.join(FORMATS)}."
        raise refused(msg)
    return cast("ExportFormat", wanted)


def _check(output: Path, *, force: bool) -> None:
    """Before anybody is asked."""
    if output.is_dir():
        msg = f"--output {output}: it is a folder."
        raise refused(msg)
    if output.exists() and not force:
        msg = f"--output {output}: it is there already; --force writes over it."
        raise refused(msg)
    if not output.parent.is_dir():
        msg = f"--output {output}: there is no folder {output.parent}."
        raise refused(msg)


def _write(output: Path, data: bytes, *, force: bool) -> None:
    """Beside it first, so that nobody ever sees half of it. ValueError where that cannot be."""
    beside = output.with_name(f".{output.name}.{secrets.token_hex(8)}")
    try:
        try:
            beside.write_bytes(data)
            if force:
                beside.replace(output)
            else:
                os.link(beside, output)  # Fails where somebody was faster.
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        msg = f"--output {output}: {error.strerror or error}"
        raise ValueError(msg) from None
