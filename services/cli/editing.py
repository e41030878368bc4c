"""`scriptorium edit`, `rewrite`, `accept`, `decline`, `lock`, `unlock`, `update`: changes to a document's text and outline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import UNSET

from services.cli import options, reading
from services.cli.asking import Asking
from services.cli.changing import How, Step, change
from services.cli.refused import refused
from services.client import Edits

Texts = list[str] | None


def edit(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    doc: options.Doc,
    title: Annotated[str | None, typer.Option(help="Its title. Costs nothing.")] = None,
    brief: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it is about, or @FILE. Everything is written anew.")
    ] = None,
    policy: Annotated[
        Texts, typer.Option(metavar="NAME=VALUE", help="Such as updates=manual or budget=0.5; repeatable.")
    ] = None,
    heading: Annotated[
        Texts, typer.Option(metavar="SECTION=TEXT", help="Another heading for a section; repeatable.")
    ] = None,
    instructions: Annotated[
        Texts,
        typer.Option(metavar="SECTION=TEXT", help="What the writer of a section is told, or =@FILE; repeatable."),
    ] = None,
    text: Annotated[
        Texts,
        typer.Option(metavar="CELL=TEXT", help="A cell's text by hand, or =@FILE, which locks the cell; repeatable."),
    ] = None,
    outline: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="The whole outline, as Markdown, JSON or TOML."),
    ] = None,
    remove_section: Annotated[Texts, typer.Option(metavar="SECTION", help="Repeatable.")] = None,
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Change title, brief, policy, outline, instructions, or text by hand; what depends on it is written anew.

    `scriptorium edit last --instructions costs="Compare three vendors" --preview` shows what that would come to.
    """
    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
    try:
        if outline is not None and (heading or instructions or remove_section):
            raise ValueError("--outline says it all: leave out --heading, --instructions and --remove-section.")  # noqa: TRY301
        steps = [
            *_described(title, brief, policy),
            *([] if outline is None else [_outline(outline)]),
            *_sections(heading, instructions),
            *(_removal(section) for section in remove_section or ()),
            *(_text(cell, told) for cell, told in reading.texts(text or (), "--text")),
        ]
        if not steps:
            raise ValueError("There is nothing to change: --title, --instructions and others say what (see --help).")  # noqa: TRY301
    except ValueError as error:
        raise refused(str(error)) from None
    asking.run(change(asking, doc, steps, How(preview, if_match, wait)))


def _described(title: str | None, brief: str | None, policy: Texts) -> Iterator[Step]:
    told = dict(reading.texts([f"brief={brief}"], "--brief")) if brief is not None else {}
    given = reading.policy(policy or ())
    names = [name for name, value in (("title", title), ("brief", brief), ("policy", policy)) if value]
    if title is not None or told or given:
        yield Step(
            ", ".join(names) or "title",
            lambda edits, if_match: edits.edit(
                title=UNSET if title is None else title,
                brief=told.get("brief", UNSET),
                policy=given or UNSET,
                if_match=if_match,
            ),
        )


def _outline(file: Path) -> Step:
    sections = reading.sections(file)
    return Step("outline", lambda edits, if_match: edits.put_outline(sections, if_match=if_match))


def _sections(heading: Texts, instructions: Texts) -> Iterator[Step]:
    """One edit a section, whatever of it changes."""
    headings = dict(reading.texts(heading or (), "--heading"))
    told = dict(reading.texts(instructions or (), "--instructions"))
    for section in dict.fromkeys((*headings, *told)):
        yield _section(section, headings.get(section), told.get(section))


def _section(section: str, heading: str | None, instructions: str | None) -> Step:
    return Step(
        f"section {section}",
        lambda edits, if_match: edits.change_section(
            section,
            heading=UNSET if heading is None else heading,
            instructions=UNSET if instructions is None else instructions,
            if_match=if_match,
        ),
    )


def _removal(section: str) -> Step:
    return Step(f"section {section} removed", lambda edits, if_match: edits.remove_section(section, if_match=if_match))


def _text(cell: str, told: str) -> Step:
    return Step(f"text of {cell}", lambda edits, if_match: edits.write_cell(cell, told, if_match=if_match))


def _on_cells(what: str, says: str, do: Callable[[Edits[Any], str, int | None], Awaitable[Any]]) -> Callable[..., None]:
    """A command that does one thing to each of some cells; `what` says it of `{}`."""

    def command(  # noqa: PLR0913, PLR0917
        doc: options.Doc,
        cell: options.Cells,
        preview: options.PreviewOnly = False,
        if_match: options.IfMatch = None,
        wait: options.Wait = True,
        who: options.Who = "",
        key_file: options.KeyFile = None,
        gateway: options.Gateway = None,
        json: options.Json = False,
    ) -> None:
        def step(id_: str) -> Step:
            return Step(what.format(id_), lambda edits, if_match: do(edits, id_, if_match))

        asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
        asking.run(change(asking, doc, [step(id_) for id_ in cell], How(preview, if_match, wait)))

    command.__doc__ = says
    return command


accept = _on_cells(
    "rewrite of {} taken",
    "Take the rewrite that is offered for a locked cell; the lock goes.",
    lambda edits, cell, if_match: edits.accept(cell, if_match=if_match),
)
decline = _on_cells(
    "rewrite of {} dropped",
    "Keep a locked cell's text, and drop the rewrite that is offered.",
    lambda edits, cell, if_match: edits.decline(cell, if_match=if_match),
)
lock = _on_cells(
    "{} locked",
    "Keep cells' text, whatever happens to what they are written from.",
    lambda edits, cell, if_match: edits.lock(cell, if_match=if_match),
)
unlock = _on_cells(
    "{} unlocked",
    "Let cells follow what they are written from again; text by hand gives way.",
    lambda edits, cell, if_match: edits.unlock(cell, if_match=if_match),
)


def rewrite(  # noqa: PLR0913, PLR0917
    doc: options.Doc,
    cell: options.Cells,
    model: Annotated[
        str | None, typer.Option(metavar="PROVIDER/MODEL", help="By this model, for these cells alone.")
    ] = None,
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Write cells once more. Of a locked one a rewrite is offered beside its text: `accept` or `decline` it."""

    def step(id_: str) -> Step:
        return Step(f"{id_} rewritten", lambda edits, if_match: edits.rewrite(id_, model=model, if_match=if_match))

    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
    asking.run(change(asking, doc, [step(id_) for id_ in cell], How(preview, if_match, wait)))


def update(  # noqa: PLR0913, PLR0917
    doc: options.Doc,
    cell: Annotated[list[str] | None, typer.Argument(metavar="CELL…", help="These; else all that are stale.")] = None,
    preview: options.PreviewOnly = False,
    if_match: options.IfMatch = None,
    wait: options.Wait = True,
    who: options.Who = "",
    key_file: options.KeyFile = None,
    gateway: options.Gateway = None,
    json: options.Json = False,
) -> None:
    """Bring stale cells up to date, in a document that is updated by hand (`--policy updates=manual`)."""
    step = Step("update", lambda edits, if_match: edits.update(cell or None, if_match=if_match))
    asking = Asking(gateway=gateway, json=json, key_file=key_file, who=who)
    asking.run(change(asking, doc, [step], How(preview, if_match, wait)))
