"""What `scriptorium up` is told in these tests: a simulator that does not think for long, and a model that says what a test dictates."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator
from pathlib import Path
from typing import Final

from tests.dictated import DictatedModel
from tests.system import System, running

QUICK: Final = "[simulator.dials.default]\nfirst_token_ms = 50\nfirst_token_p99_ms = 200\ntoken_interval_ms = 2\ntoken_interval_p99_ms = 8\n"
"""No test waits for a model to think."""
DEAR: Final = '[prices."simulator/dear"]\ninput = 1000.0\noutput = 1000.0\n'
"""A price for which a document's budget has no room."""
NOTES: Final = f"[watcher.folders]\nnotes = {json.dumps(str(Path(__file__).parents[2] / 'docs' / 'adr'))}\n"
"""A folder that documents may follow."""


@contextlib.contextmanager
def dictated_system(folder: Path, model: DictatedModel) -> Generator[System]:
    """With the simulator, and the dictated model beside it."""
    config = model.config(folder, QUICK + DEAR + NOTES)
    with running(folder / "data", "--writers", "2", "--config", str(config)) as started:
        yield started
