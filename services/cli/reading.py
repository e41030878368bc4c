"""What a command was told, read into what the gateway takes. ValueError says which option is wrong, and how."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.outline import check_outline
from schemas.outline_markdown import read_outline, slug
from schemas.requests import OutlineAsked
from schemas.values import SOURCE_BYTES_MAX, Column, Policy, Section

WEB = ("http://", "https://")
COLUMN_FORMATS: tuple[str, ...] = ("text", "number", "yes_no", "date", "one_of")


class File(NamedTuple):
    """A source from this machine."""

    name: str
    data: bytes


class Address(NamedTuple):
    """A source from the web; the gateway fetches it."""

    url: str


def sources(values: Sequence[str], option: str = "--source") -> list[File | Address]:
    """Files and addresses, in their order."""
    return [Address(value) if value.startswith(WEB) else _file(Path(value), option) for value in values]


def _file(file: Path, option: str) -> File:
    try:
        data = file.read_bytes()
    except OSError as error:
        msg = f"{option} {file}: {error.strerror or error}"
        raise ValueError(msg) from None
    if not data:
        msg = f"{option} {file}: it is empty."
        raise ValueError(msg)
    if len(data) > SOURCE_BYTES_MAX:
        msg = f"{option} {file}: a source may have {SOURCE_BYTES_MAX} bytes, this has {len(data)}."
        raise ValueError(msg)
    return File(file.name, data)


def outline(file: Path | None) -> OutlineAsked | str | None:
    """Markdown, or `{"sections": […]}` or the bare list as JSON or TOML."""
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix.lower() in {".md", ".markdown"}:
            _check(file, read_outline(text).sections)
            return text
        told: Any = tomllib.loads(text) if file.suffix == ".toml" else msgspec.json.decode(text)
        asked = msgspec.convert({"sections": told} if isinstance(told, list) else told, OutlineAsked)
    except (ValueError, OSError) as error:
        msg = f"--outline {file}: {error}"
        raise ValueError(msg) from None
    _check(file, asked.sections)
    return asked


def sections(file: Path) -> tuple[Section, ...]:
    """The same, as sections."""
    found = outline(file)
    match found:
        case OutlineAsked():
            return found.sections
        case str():
            return read_outline(found).sections
        case None:
            return ()


def _check(file: Path, sections: Sequence[Section]) -> None:
    problems = [f"  {problem.where}: {problem.message}" for problem in check_outline(sections)]
    if problems:
        msg = "\n".join([f"--outline {file}:", *problems])
        raise ValueError(msg)


def policy(values: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs, as far as one document's policy may say them; a value is JSON, or else a word."""
    told = {name: _value(value) for name, value in pairs(values, "--policy")}
    try:
        msgspec.convert(told, Policy)
    except msgspec.ValidationError as error:
        msg = f"--policy: {error}"
        raise ValueError(msg) from None
    return told


def pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """`name=value`, each name once."""
    found: list[tuple[str, str]] = []
    for value in values:
        name, equals, rest = value.partition("=")
        if not equals or not name.strip():
            msg = f"{option} {value}: it is not of the form NAME=VALUE"
            raise ValueError(msg)
        if any(name.strip() == earlier for earlier, _ in found):
            msg = f"{option} {name.strip()}: it is given twice"
            raise ValueError(msg)
        found.append((name.strip(), rest))
    return found


def texts(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """`name=text`, or `name=@file`."""
    return [
        (name, _text(value[1:], option) if value.startswith("@") else value) for name, value in pairs(values, option)
    ]


def _text(file: str, option: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        msg = f"{option} @{file}: it is no text in UTF-8"
    except OSError as error:
        msg = f"{option} @{file}: {error.strerror or error}"
    raise ValueError(msg)


def column(heading: str, instructions: str, format_: str, options: Sequence[str], sample: Sequence[str]) -> Column:
    """A question of a table; its id is made of its heading."""
    if format_ not in COLUMN_FORMATS:
        msg = f"--format {format_}: one of {', '.join(COLUMN_FORMATS)}"
        raise ValueError(msg)
    if (format_ == "one_of") != bool(options):
        raise ValueError("--option: answers to choose from belong to --format one_of, which needs them")
    told = {
        "id": slug(heading) or "column",
        "heading": heading,
        "instructions": instructions,
        "format": format_,
        "options": options,
        "sample": [id_.strip() for given in sample for id_ in given.split(",") if id_.strip()],
    }
    try:
        return msgspec.convert(told, Column)
    except msgspec.ValidationError as error:
        msg = f"--add-column {heading!r}: {error}"
        raise ValueError(msg) from None


def _value(value: str) -> Any:  # noqa: ANN401 -- whatever JSON holds
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
