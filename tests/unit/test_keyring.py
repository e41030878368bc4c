"""Keys of documents, as a terminal keeps them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.keyring import Keyring, KeyringError, Remembered

HERE = "http://127.0.0.1:8080"
ids = st.integers(0, 40).map(lambda n: f"{n % 5:04x}{n:028x}")  # Many begin alike.
SECONDS = 60

TWO_AT_ONCE = """
import sys
from pathlib import Path
from services.cli.keyring import Keyring, Remembered
keys, start = Keyring(Path(sys.argv[1])), int(sys.argv[2])
sys.stdout.write("ready\\n"), sys.stdout.flush(), sys.stdin.readline()
owner = keys.owner("http://here")
for n in range(start, start + 50):
    keys.remember(Remembered(id=f"{n:032x}", gateway="http://here", key=f"key-{n}", made_at_ms=n))
    keys.find("last")
print(owner)
"""


def _remembered(id_: str, at_ms: int = 1) -> Remembered:
    return Remembered(id=id_, gateway=HERE, key=f"key of {id_}", made_at_ms=at_ms)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ids, st.booleans()), max_size=20))
def test_what_was_remembered_and_not_forgotten_is_found(doings: list[tuple[str, bool]]) -> None:
    with tempfile.TemporaryDirectory() as home:
        keys, kept = Keyring(Path(home)), dict[str, Remembered]()
        for at_ms, (id_, is_made) in enumerate(doings):
            if is_made:
                kept[id_] = _remembered(id_, at_ms)
                keys.remember(kept[id_])
            else:
                kept.pop(id_, None)
                keys.forget(id_)
        for id_ in {id_ for id_, _ in doings}:
            assert keys.get(id_) == kept.get(id_)
            alike = [other for other in kept if other.startswith(id_[:4])]
            if len(alike) == 1:
                assert keys.find(id_[:4]) == kept[alike[0]]
            else:
                with pytest.raises(KeyringError, match="several" if alike else "begins with"):
                    keys.find(id_[:4])
        if kept:
            assert keys.find("last") == max(kept.values(), key=lambda one: one.made_at_ms)
        else:
            with pytest.raises(KeyringError, match="scriptorium write"):
                keys.find("last")


def test_two_commands_at_once_lose_nothing_and_are_one_owner(tmp_path: Path) -> None:
    together = [
        subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-c", TWO_AT_ONCE, str(tmp_path), str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for start in (0, 50)
    ]
    for one in together:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in together:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    owners = {one.communicate(timeout=SECONDS)[0].strip() for one in together}
    assert [one.returncode for one in together] == [0, 0]
    keys = Keyring(tmp_path)
    assert owners == {keys.owner("http://here")}
    found = [keys.get(f"{n:032x}") for n in range(100)]
    assert [one.key for one in found if one is not None] == [f"key-{n}" for n in range(100)]
    assert not list(tmp_path.rglob(".*"))


def test_files_are_their_owner_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys = Keyring(tmp_path / "home")
        keys.remember(_remembered("a" * 32))
        keys.owner(HERE)
    finally:
        os.umask(before)
    modes = {file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_file()}
    folders = {file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_a_key_stands_in_no_representation() -> None:
    assert "key of" not in repr([_remembered("a" * 32)])


def test_each_gateway_knows_another_owner(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    assert keys.owner(HERE) == Keyring(tmp_path).owner(HERE)
    assert keys.owner(HERE) != keys.owner("http://elsewhere")
    assert 32 <= len(keys.owner(HERE)) <= 86


def test_a_damaged_file_costs_one_key_and_is_named(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    keys.remember(_remembered("a" * 32))
    keys.remember(_remembered("b" * 32))
    (tmp_path / "documents" / f"{'b' * 32}.json").write_text("{", encoding="utf-8")
    assert keys.get("a" * 32) == _remembered("a" * 32)
    with pytest.raises(KeyringError, match="b" * 32):
        keys.get("b" * 32)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    with pytest.raises(KeyringError, match="SCRIPTORIUM_HOME"):
        Keyring(tmp_path / "home").remember(_remembered("a" * 32))
