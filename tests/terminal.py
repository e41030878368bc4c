"""A user's terminal: what they type, as a process of its own or in this one, and what they are told."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
from typer.testing import CliRunner

from services.cli.main import app

SECONDS = 120


class Terminal:
    """One user's terminal: a folder of their own, a gateway, and what they type."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self.folder = folder
        self.gateway = gateway
        self.home = folder / "home"

    def typed(self, *words: str, code: int = 0) -> Any:
        """What a command answers to `--json`, as a process of its own: one document, and nothing else."""
        done = subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, "-m", "services.cli", *words, "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "SCRIPTORIUM_HOME": str(self.home), "PYTHONPATH": str(Path.cwd())},
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), (words, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def run(self, *words: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """What a command says on standard output and on standard error; in this process."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(app, words, env={"SCRIPTORIUM_HOME": str(self.home), **variables})
        assert done.exit_code == code, (words, done.stdout, done.stderr, done.exception)
        return done.stdout, done.stderr

    def json(self, *words: str) -> Any:
        """What it answers to `--json`; in this process."""
        return json.loads(self.run(*words, "--json")[0])

    def now(self, document: str, **query: Any) -> dict[str, Any]:
        """A document as the gateway has it."""
        url = f"{self.gateway}/api/documents/{document}"
        answer = httpx2.get(url, params=query, trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()
