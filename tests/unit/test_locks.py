"""What is installed is what pyproject.toml asks for: both lock files know all of it, agree, and hold nothing that nobody asked for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", re.MULTILINE)
ASKED_BY_US = re.compile(
    r"^([\w.-]+)(?:\[[\w,-]+\])?==[^#]*(?:#[^\n]*\n\s*)*?#\s+(?:via )?scriptorium \(pyproject\.toml\)", re.MULTILINE
)


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return {canonicalize_name(found[1]): found[2] for found in PIN.finditer(text)}


def _asked(*extras: str) -> Iterator[Requirement]:
    for line in [
        *PROJECT["dependencies"],
        *(one for extra in extras for one in PROJECT["optional-dependencies"][extra]),
    ]:
        yield Requirement(line)


def _unmet(pins: dict[str, str], *extras: str) -> list[str]:
    return [
        str(wanted)
        for wanted in _asked(*extras)
        if not wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), "0"), prereleases=True)
    ]


def test_both_lock_files_have_what_is_asked_for() -> None:
    assert not _unmet(_pins("requirements.lock"), "dev"), "make lock"
    assert not _unmet(_pins("requirements.run.lock")), "make lock"


def test_nothing_is_locked_for_us_that_we_do_not_ask_for_any_more() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for_us = {canonicalize_name(found[1]) for found in ASKED_BY_US.finditer(text)}
    assert for_us == {canonicalize_name(wanted.name) for wanted in _asked("dev")}, "make lock"


def test_what_the_image_does_without_is_only_for_development() -> None:
    development = {canonicalize_name(wanted.name) for wanted in _asked("dev")} - {
        canonicalize_name(wanted.name) for wanted in _asked()
    }
    assert not development & set(_pins("requirements.run.lock"))
