"""Take pictures of every screen and state, in both themes and at every width: `make screenshots`, then look at them.

    python -m tests.e2e.browser.screenshots [SCREEN …] [--into FOLDER] [--width PX …] [--theme light|dark]

They go into a folder that git ignores, one PNG each: `writing-1200-dark.png`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import httpx2
from playwright.sync_api import Browser, Error, expect, sync_playwright

from tests.browser import ARGUMENTS, found
from tests.dictated import DictatedModel, dictated_model
from tests.e2e.browser.conftest import PATIENCE_MS
from tests.e2e.browser.gallery import SCREENS, show
from tests.e2e.browser.states import Gallery
from tests.e2e.systems import dictated_system
from tests.system import System

THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
WIDTHS: Final = (360, 1_200, 1_920)
WIDEST: Final = 2_560
"""Of the widest there are pictures of a document only."""
OF_THE_WIDEST: Final = ("done",)
HEIGHTS: Final = {360: 780, 1_200: 900, 1_920: 1_080, WIDEST: 1_440}
FOLDER: Final = Path("screenshots")


def taken(browser: Browser, home: str, gallery: Gallery, wanted: argparse.Namespace) -> list[str]:
    """Every picture that is wanted; the names of those that could not be taken, and why."""
    wrong: list[str] = []
    for width in [*wanted.width, *([WIDEST] if wanted.width == list(WIDTHS) else [])]:
        viewport: Any = {"width": width, "height": HEIGHTS.get(width, 900)}
        context = browser.new_context(viewport=viewport, reduced_motion="reduce")
        for name in wanted.screens if width != WIDEST else OF_THE_WIDEST:
            page = context.new_page()
            try:
                show(page, home, gallery, name)
                for theme in wanted.theme:
                    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                    page.screenshot(path=wanted.into / f"{name}-{width}-{theme}.png", animations="disabled")
            except (AssertionError, Error) as error:
                wrong.append(f"{name}, {width} wide: {str(error).splitlines()[0]}")
            page.close()
        context.close()
    return wrong


def _from_here(system: System, model: DictatedModel, wanted: argparse.Namespace) -> list[str]:
    with (
        httpx2.Client(base_url=system.gateway, trust_env=False, timeout=30) as client,
        httpx2.Client(base_url=system.simulator, trust_env=False, timeout=30) as simulator,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=found(), args=list(ARGUMENTS))
        wrong = taken(browser, system.gateway, Gallery(client, simulator, model), wanted)
        browser.close()
        return wrong


def main(arguments: Sequence[str]) -> int:
    """Take them; 1 where one could not be taken, 2 where there is no such screen."""
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("screens", nargs="*", default=list(SCREENS), metavar="SCREEN")
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--width", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("--theme", nargs="+", choices=THEMES, default=list(THEMES))
    wanted = parser.parse_args(arguments)
    unknown = [name for name in wanted.screens if name not in SCREENS]
    if unknown:
        print(f"There is no screen {unknown[0]!r}. There are: {', '.join(SCREENS)}", file=sys.stderr)
        return 2
    expect.set_options(timeout=PATIENCE_MS)
    if wanted.screens == list(SCREENS):
        shutil.rmtree(wanted.into, ignore_errors=True)  # No picture stays of a screen that is no more.
    wanted.into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        dictated_model() as model,
        dictated_system(Path(name), model) as system,
    ):
        wrong = _from_here(system, model, wanted)
    print(f"Pictures are in {wanted.into}/", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
