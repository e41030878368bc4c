"""The ready-made document: what it asks for can be written from what it brings along."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.citations import cited
from schemas.outline import check_outline
from schemas.passages import Passages
from schemas.requests import OutlineAsked
from schemas.values import BRIEF_CHARACTERS_MAX, Section
from services.gateway.demos import load, offered
from services.ingester.reading import Given, Read, read
from services.shared.retrieval import choose
from services.shared.settings import LimitSettings
from services.simulator.answers import answer
from services.simulator.prompt import Asked, Earlier, Source

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "services" / "gateway" / "demo" / "case-study"


class DemoSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    file: str
    """Relative to document.json."""


class DemoOutline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sections: tuple[Section, ...]


class Demo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    description: str
    brief: str
    outline: DemoOutline
    sources: tuple[DemoSource, ...]


@pytest.fixture(scope="module")
def demo() -> Demo:
    return msgspec.json.decode((DEMO / "document.json").read_bytes(), type=Demo)


@pytest.fixture(scope="module")
def corpus(demo: Demo) -> dict[str, Passages]:
    found: dict[str, Passages] = {}
    for number, source in enumerate(demo.sources, 1):
        data = (DEMO / source.file).read_bytes()
        outcome = read(Given(source=f"s{number}", name=source.name, media_type="", data=data))
        assert isinstance(outcome, Read)
        found[f"s{number}"] = outcome.passages
    return found


@pytest.fixture(scope="module")
def texts(demo: Demo, corpus: dict[str, Passages]) -> dict[str, str]:
    """Every section as the simulator writes it, from the passages that the writer would choose."""
    headings = {section.id: section.heading for section in demo.outline.sections}
    written: dict[str, str] = {}
    for section in demo.outline.sections:
        chosen = choose(corpus, f"{section.heading} {section.instructions}", LimitSettings().passages_max)
        asked = Asked(
            system="",
            user="",
            title=demo.title,
            brief=demo.brief,
            heading=section.heading,
            instructions=section.instructions,
            earlier=tuple(Earlier(id_, headings[id_], written[id_]) for id_ in section.depends_on),
            passages=tuple(Source(id_, p.number, corpus[id_].name, p.text) for id_, p in chosen),
            recognised=True,
        )
        written[section.id] = answer(asked, "0")
    return written


def test_every_demo_can_be_written() -> None:
    assert [offer.name for offer in offered()] == ["case-study", "twenty-questions"]
    for offer in offered():
        asked = load(offer.name)
        assert isinstance(asked.outline, OutlineAsked)
        assert check_outline(asked.outline.sections) == []
        assert len(asked.brief) <= BRIEF_CHARACTERS_MAX


def test_the_table_is_large_enough_to_show_what_becomes_of_a_slow_model() -> None:
    asked = load("twenty-questions")
    assert isinstance(asked.outline, OutlineAsked)
    # Forty of its cells must be written, and enough be left, before the tour slows the model down.
    assert sum(len(section.columns) for section in asked.outline.sections) * len(asked.sources) == 100


def test_the_gateway_offers_it_and_takes_it_for_a_request(demo: Demo) -> None:
    offer = offered()[0]
    assert (offer.name, offer.description, offer.sections) == (
        "case-study",
        demo.description,
        len(demo.outline.sections),
    )
    asked = load(offer.name)
    assert isinstance(asked.outline, OutlineAsked)
    assert asked.outline.sections == demo.outline.sections
    assert [source.name for source in asked.sources] == [source.name for source in demo.sources]


def test_its_outline_can_be_written_and_sums_up_its_sections(demo: Demo) -> None:
    sections = demo.outline.sections
    assert check_outline(sections) == []
    assert len(sections) >= 9
    assert len(sections[-1].depends_on) >= 6
    assert len(demo.brief) <= BRIEF_CHARACTERS_MAX


def test_every_section_is_written_from_the_sources_and_every_quote_stands_in_them(
    demo: Demo, corpus: dict[str, Passages], texts: dict[str, str]
) -> None:
    def passage(source: str, number: int) -> str | None:
        found = corpus.get(source)
        return None if found is None else next((p.text for p in found.passages if p.number == number), None)

    for section in demo.outline.sections:
        citations = cited(texts[section.id], passage)
        assert len(citations) >= 4, section.id
        assert all(citation.verified for citation in citations), section.id


def test_no_two_sections_say_the_same(demo: Demo, texts: dict[str, str]) -> None:
    own = [section.id for section in demo.outline.sections if not section.depends_on]
    said = [line for id_ in own for line in texts[id_].split("\n\n") if "[[" in line]
    assert len(said) == len(set(said))


def test_the_tests_that_its_sources_name_exist(demo: Demo) -> None:
    named = {
        word.strip("`.,;:")
        for source in demo.sources
        for word in (DEMO / source.file).read_text(encoding="utf-8").split()
        if word.startswith("`test_")
    }
    there = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in there] == []


def test_the_files_that_its_sources_name_exist(demo: Demo) -> None:
    named = {
        word.strip("`.,;:")
        for source in demo.sources
        for word in (DEMO / source.file).read_text(encoding="utf-8").split()
        if word.startswith(("`schemas/", "`services/", "`tests/"))
    }
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
