"""Writes down what the Structs say of the HTTP face and of the bus, for programs and for reviewers: `docs/api/`.

A changed Struct changes these files, and so shows in a review what others will notice; `--check` fails where they were forgotten.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from schemas.asyncapi import asyncapi
from schemas.commands import AnyCommand
from schemas.document import Document
from schemas.events import AnyFact, TextAppended
from schemas.jobs import AnyJob
from schemas.requests import CaughtUp
from services.gateway.openapi import openapi

FOLDER = Path(__file__).parents[2] / "docs/api"


def json_schema() -> dict[str, Any]:
    """JSON Schema of all that goes over the bus and the stream of events, each under its name."""
    types = (AnyFact, TextAppended, AnyCommand, AnyJob, Document, CaughtUp)
    _, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions}


def described() -> dict[str, str]:
    """Each file's content, by name."""
    here = version("scriptorium")
    files = {"openapi.json": openapi(here), "asyncapi.json": asyncapi(here), "schemas.json": json_schema()}
    return {name: json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in files.items()}


def main() -> None:
    """Write the files, or check them."""
    wrong: list[str] = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in described().items():
        file = FOLDER / name
        if "--check" not in sys.argv:
            file.write_text(content, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != content:
            wrong.append(name)
    if wrong:
        sys.exit(f"docs/api: {', '.join(wrong)} not as the Structs are: make generated")


if __name__ == "__main__":
    main()
