"""Outlines that come with Scriptorium: Markdown, as a reader would write it; what stands before the first section describes it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from schemas.outline_markdown import read_outline
from schemas.requests import Template

FOLDER = Path(__file__).parent


@cache
def shipped() -> tuple[Template, ...]:
    """All of them, by name."""
    return tuple(_template(file) for file in sorted(FOLDER.glob("*.md")))


def _template(file: Path) -> Template:
    text = file.read_text(encoding="utf-8")
    title, sections = read_outline(text)
    description = text.partition("\n## ")[0].partition("\n")[2].strip()
    return Template(id=file.stem, name=title, description=description, sections=sections)


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Template).decode
