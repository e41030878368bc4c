"""What the documentation names is there: tests, files, and the ends of links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "services" / "gateway" / "demo").rglob("*.md"),
)
TESTS = frozenset(
    name
    for file in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
)
NAMED_TEST = re.compile(r"`(test_\w+)`")
FILE = re.compile(r"`((?:schemas|services|web|tests|bench|docs|examples)/[\w./-]*\w)`")
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")


def _wrong(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        *(f"no test {name}" for name in NAMED_TEST.findall(prose) if name not in TESTS),
        *(f"no file {name}" for name in FILE.findall(prose) if not (ROOT / name).exists()),
        *(f"a link to nowhere: {to}" for to in LINK.findall(prose) if not (page.parent / to).exists()),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_what_is_there(page: Path) -> None:
    assert not _wrong(page)


def test_what_is_not_there_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`test_of_nothing`, `services/nowhere.py`, [there](nowhere.md), [fine](page.md#top).", encoding="utf-8"
    )
    assert len(_wrong(page)) == 3
