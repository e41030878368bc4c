"""What commands are told, and how terminals are kept safe from what others wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.values import ID_PATTERN
from services.cli import reading
from services.cli.plain import plain
from services.cli.reading import Address, File
from services.cli.reference import FILE, reference

names = st.text(st.characters(blacklist_characters="=", blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
words = st.text(st.characters(blacklist_categories=["Cs"]))


@given(st.dictionaries(names.map(str.strip), words.filter(lambda text: not text.startswith("@"))))
def test_names_and_texts_come_through_as_they_are(told: dict[str, str]) -> None:
    assert dict(reading.texts([f"{name}={text}" for name, text in told.items()], "--text")) == told


@given(words)
def test_what_is_no_pair_is_named_with_its_option(text: str) -> None:
    if "=" in text and text.partition("=")[0].strip():
        return
    with pytest.raises(ValueError, match="--heading"):
        reading.pairs([text], "--heading")


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="--text a: it is given twice"):
        reading.texts(["a=1", "a=2"], "--text")


def test_a_text_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Süß", encoding="utf-8")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe")
    assert reading.texts([f"a=@{tmp_path / 'a.md'}"], "--text") == [("a", "Süß")]
    for name, why in (("b.bin", "UTF-8"), ("c.md", "No such file")):
        with pytest.raises(ValueError, match=f"--text .*{name}.*{why}"):
            reading.texts([f"a=@{tmp_path / name}"], "--text")


def test_a_policy_s_values_are_json_or_words() -> None:
    told = reading.policy(["budget=0.5", "model=local/small", "grace_ms=never", "cell_budget=null"])
    assert told == {"budget": 0.5, "model": "local/small", "grace_ms": "never", "cell_budget": None}
    for wrong, where in (("budget=-1", "budget"), ("bugdet=1", "bugdet"), ("deadline_s=soon", "deadline_s")):
        with pytest.raises(ValueError, match=f"--policy: .*{where}"):
            reading.policy([wrong])


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=300))
def test_any_heading_makes_a_column_with_an_id(heading: str) -> None:
    column = reading.column(heading, "", "text", (), ())
    assert column.heading == heading
    assert re.fullmatch(ID_PATTERN, column.id)


def test_a_sample_is_a_list_however_it_is_given() -> None:
    assert reading.column("X", "", "number", (), ["s1, s2", "s3"]).sample == ("s1", "s2", "s3")


def test_sources_are_files_and_addresses_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"A")
    (tmp_path / "empty.md").write_bytes(b"")
    given_ = [str(tmp_path / "a.md"), "https://example.org/x"]
    assert reading.sources(given_) == [File("a.md", b"A"), Address("https://example.org/x")]
    for name in ("empty.md", "nowhere.md", "."):
        with pytest.raises(ValueError, match="--source"):
            reading.sources([str(tmp_path / name)])


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = plain(text)
    assert not [c for c in shown if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    assert plain(shown) == shown
    assert plain("\x1b]0;name\x07\x1b[2J") == "�]0;name��[2J"


def test_the_description_of_the_commands_is_what_they_say_of_themselves() -> None:
    assert FILE.read_text(encoding="utf-8") == reference()


def test_asking_a_gateway_loads_nothing_that_runs_one() -> None:
    program = (
        "import sys, services.cli.main; "
        "print(sorted({'nats', 'faststream', 'pydantic', 'starlette', 'uvicorn'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 -- our own
    assert said.stdout.strip() == "[]"
