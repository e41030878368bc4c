"""What the architecture promises, held by reading the code: import-linter knows modules, this knows the standard library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = sorted(file for folder in ("schemas", "services") for file in (ROOT / folder).rglob("*.py"))

# What touches a clock, chance, a loop, a process, a file or a network.
IMPURE: Final = frozenset(
    [
        "asyncio",
        "concurrent",
        "ctypes",
        "datetime",
        "fcntl",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "resource",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
        "aiohttp",
        "anyio",
        "faststream",
        "httpx2",
        "nats",
        "openai",
        "prometheus_client",
        "pydantic_settings",
        "rich",
        "sse_starlette",
        "starlette",
        "typer",
        "uvicorn",
        "uvloop",
    ]
)
# A generator with a seed of its own is a function; a lock around a cache changes no answer.
ALLOWED: Final = frozenset({"random.Random", "threading.Lock", "threading"})
IMPURE_CALLS: Final = frozenset({"open", "print", "input", "exec", "eval"})
SUBJECT: Final = re.compile(
    r"(?:live|doc|ink|command|job|dead|metrics|models|control)\.[{*>a-z]|\$(?:KV|JS|O|SYS)\.|_INBOX"
)


def _named(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _calls_itself_pure(file: Path) -> bool:
    return re.search(r"\bpure\b(?! ASGI)", ast.get_docstring(_tree(file)) or "", re.IGNORECASE) is not None


def _imports(tree: ast.Module) -> Iterator[str]:
    """`package.name` for each thing imported, `package` for whole modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """String literals, docstrings left out, parts of f-strings each by itself."""
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


PURE: Final = [file for file in MODULES if _calls_itself_pure(file)]


@pytest.mark.parametrize("file", PURE, ids=_named)
def test_what_calls_itself_pure_touches_nothing(file: Path) -> None:
    tree = _tree(file)
    touched = {name for name in _imports(tree) if name.split(".")[0] in IMPURE and name not in ALLOWED}
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS
    }
    assert not touched | called


def test_every_core_calls_itself_pure() -> None:
    cores = [file for file in MODULES if file.stem == "core" or file.stem.endswith("_core")]
    decided = [ROOT / "schemas" / f"{name}.py" for name in ("fold", "cells", "citations", "outline")]
    assert len(cores) >= 3
    assert not [_named(file) for file in (*cores, *decided) if file not in PURE]


def test_only_one_place_reads_time() -> None:
    clock = ROOT / "services" / "shared" / "clock.py"
    for file in MODULES:
        tree = _tree(file)
        if file != clock:
            assert not [name for name in _imports(tree) if name.split(".")[0] == "time"], _named(file)
        read = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {name for name in read if re.search(r"\bdate(?:time)?\.(?:now|utcnow|today)$", name)}, _named(file)


def test_only_one_place_spells_subjects() -> None:
    # Streams are declared with the subjects that they bind.
    places = {ROOT / "schemas" / "subjects.py", ROOT / "schemas" / "streams.py"}
    spelled = [
        f"{_named(file)}:{line} {text!r}"
        for file in MODULES
        if file not in places
        for line, text in _texts(_tree(file))
        if SUBJECT.match(text)
    ]
    assert not spelled


def test_what_is_agreed_on_touches_nothing() -> None:
    for file in (ROOT / "schemas").glob("*.py"):
        touched = {name.split(".")[0] for name in _imports(_tree(file))} & IMPURE
        # The client library's own types say what a stream is.
        assert touched <= ({"nats"} if file.stem == "streams" else set()), _named(file)
