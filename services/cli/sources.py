"""`scriptorium add-source`, `replace-source`, `remove-source`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from schemas.requests import SourceAsked
from services.cli import options, reading
from services.cli.asking import Asking
from services.cli.changing import How, Step, change
from services.cli.reading import Address, File
from services.cli.refused import refused
from services.client import DocumentClient, ScriptoriumClient

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="A source's id, such as s1; `show` lists them.")]


async def asked(client: ScriptoriumClient, given: File | Address) -> SourceAsked:
    """A file is handed over first; an address is the gateway's to fetch."""
    match given:
        case Address(url=url):
            return SourceAsked(url=url)
        case File(name=name, data=data):
            return SourceAsked(name=name, upload=await client.upload(name, data))


def _read(values: Sequence[str], option: str) -> list[File | Address]:
    try:
        return reading.sources(values, option)
    except ValueError as error:
        raise refused(str(error)) from None


def add_source(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    doc: options.Doc,
    source: Annotated[list[str], typer.Argument(metavar="FILE|URL…", help="Text, Markdown, HTML or PDF.")],
    before: Annotated[str | None, typer.Option(metavar="SOURCE", help="Before this one, not last.")] = None,
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Give a document more sources: rows of its tables, and passages for its sections."""
    given = _read(source, "FILE|URL")
    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)

    def step(wanted: SourceAsked) -> Step:
        return Step(
            f"source {wanted.name or wanted.url} added",
            lambda edits, if_match: edits.add_source(wanted, before=before, if_match=if_match),
        )

    async def steps(_document: DocumentClient) -> list[Step]:
        async with asking.client() as client:
            return [step(await asked(client, one)) for one in given]

    asking.run(change(asking, doc, steps, How(preview, if_match, wait)))


def replace_source(  # noqa: PLR0913, PLR0917
    doc: options.Doc,
    source: Source,
    by: Annotated[str, typer.Argument(metavar="FILE|URL", help="What it is from now on.")],
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Give a source other bytes; what is written from it is written anew."""
    given = _read([by], "FILE|URL")[0]
    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)

    async def steps(_document: DocumentClient) -> list[Step]:
        async with asking.client() as client:
            wanted = await asked(client, given)
        return [
            Step(
                f"source {source} replaced",
                lambda edits, if_match: edits.replace_source(source, wanted, if_match=if_match),
            )
        ]

    asking.run(change(asking, doc, steps, How(preview, if_match, wait)))


def remove_source(  # noqa: PLR0913, PLR0917
    doc: options.Doc,
    source: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="Their ids, such as s1; `show` lists them.")],
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Write without these sources from now on."""

    def step(id_: str) -> Step:
        return Step(f"source {id_} removed", lambda edits, if_match: edits.remove_source(id_, if_match=if_match))

    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
    asking.run(change(asking, doc, [step(id_) for id_ in source], How(preview, if_match, wait)))
