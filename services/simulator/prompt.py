"""What a prompt asks for: the blocks that writer and planner put into it, or, without any, its plain words. Pure."""

from __future__ import annotations

import html
import re
from typing import Final

import msgspec

from services.simulator.json_schema import Schema

BLOCK: Final = re.compile(
    r"<(document|section|plan|earlier|missing|sums|passage)((?:\s+[\w-]+=\"[^\"]*\")*)\s*>(.*?)</\1>", re.DOTALL
)
ATTRIBUTE: Final = re.compile(r"([\w-]+)=\"([^\"]*)\"")
SCHEMA_LINE: Final = re.compile(r"^Answer with JSON only, of this schema:\s*", re.MULTILINE)


class Source(msgspec.Struct, frozen=True):
    """One passage of a source, to the letter."""

    source: str
    number: int
    title: str
    text: str


class Earlier(msgspec.Struct, frozen=True):
    """The finished text of a section that this one depends on."""

    section: str
    heading: str
    text: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt, understood."""

    system: str
    user: str
    """All that was said, blocks included."""
    title: str = ""
    brief: str = ""
    heading: str = ""
    instructions: str = ""
    plan: str = ""
    earlier: tuple[Earlier, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    """(section, why)"""
    sums: tuple[str, ...] = ()
    """What columns of earlier tables come to, a line each."""
    passages: tuple[Source, ...] = ()
    recognised: bool = False
    schema: Schema | None = None


def understood(system: str, user: str, schema: Schema | None = None) -> Asked:
    """Read the blocks of a prompt. A schema asked for in words counts where none was given."""
    found: dict[str, tuple[dict[str, str], str]] = {}
    earlier: list[Earlier] = []
    missing: list[tuple[str, str]] = []
    sums: list[str] = []
    passages: list[Source] = []
    for kind, attributes, text in BLOCK.findall(user):
        named = {name: html.unescape(value) for name, value in ATTRIBUTE.findall(attributes)}
        match kind:
            case "earlier":
                earlier.append(Earlier(named.get("section", ""), named.get("heading", ""), text.strip()))
            case "missing":
                missing.append((named.get("heading") or named.get("section", ""), text.strip()))
            case "sums":
                sums += text.strip().split("\n")
            case "passage":
                number = named.get("number", "")
                # The writer breaks closing tags inside sources, so that none of them can end its own block.
                words = text.replace("<\\/", "</")
                passages.append(
                    Source(
                        named.get("source", ""), int(number) if number.isdecimal() else 0, named.get("title", ""), words
                    )
                )
            case _:
                found.setdefault(kind, (named, text.strip()))
    document, section = found.get("document", ({}, "")), found.get("section", ({}, ""))
    return Asked(
        system=system,
        user=user,
        title=document[0].get("title", ""),
        brief=document[1],
        heading=section[0].get("heading", ""),
        instructions=section[1],
        plan=found.get("plan", ({}, ""))[1],
        earlier=tuple(earlier),
        missing=tuple(missing),
        sums=tuple(sums),
        passages=tuple(passages),
        recognised=bool(found or passages),
        schema=schema or _schema_in_words(system) or _schema_in_words(BLOCK.sub("", user)),
    )


def _schema_in_words(text: str) -> Schema | None:
    line = SCHEMA_LINE.search(text)
    if line is None:
        return None
    rest = text[line.end() :]
    for end in [len(rest), *(match.start() for match in re.finditer(r"\n", rest))]:
        try:
            return msgspec.json.decode(rest[:end], type=Schema)
        except msgspec.DecodeError:
            continue
    return None
