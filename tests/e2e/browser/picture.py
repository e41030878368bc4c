"""The README's moving picture, made from the real page: `make picture`.

Chromium's own screencast gives the frames and their times. A demo fills in; a text is changed by hand and only what depends on it is
written anew; that is stopped, and the receipt says what it came to. Each of the three plays as long as its line in ACTS says, however
long it took here. The pointer and the captions are drawn on top: a page without a window has no pointer.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect, sync_playwright

from tests.browser import ARGUMENTS, found
from tests.e2e.browser.conftest import PATIENCE_MS
from tests.e2e.browser.reading import button, section, until_complete
from tests.system import running
from tests.wording import words

FOLDER: Final = Path("docs/pictures")
WIDTH, HEIGHT, SCALE = 960, 600, 1.25
CAPTION_PX: Final = 44
FRAMES_PER_S: Final = 10
QUALITY: Final = 72
BYTES_MAX: Final = 3_000_000
SETTINGS: Final = """
[simulator.dials.default]
first_token_ms = 500
token_interval_ms = 14
token_interval_p99_ms = 60
seed = 3

[prices."simulator/scribe"]
input = 0.15
output = 0.60
"""
FIRST: Final = "The problem with request–response"  # noqa: RUF001 -- as the demo has it
BY_HAND: Final = "One request, one answer, and nothing to show in between. "


class Act(NamedTuple):
    """What is said, for how long it plays, what is done, and what of it nobody needs to see."""

    caption: str
    plays_s: float
    does: Callable[[Stage], None]
    off_camera: Callable[[Page], None] = lambda _page: None


class Frame(NamedTuple):
    """A picture of the page, when it was taken, and where the pointer was."""

    at_s: float
    png: bytes
    pointer: tuple[float, float] | None


class Stage:
    """A page that is filmed."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Frame] = []
        self.pointer: tuple[float, float] | None = None
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._filmed)
        size = {"maxWidth": round(WIDTH * SCALE), "maxHeight": round(HEIGHT * SCALE)}
        self._session.send("Page.startScreencast", {"format": "png", **size})

    def _filmed(self, event: dict[str, Any]) -> None:
        self.frames.append(Frame(time.monotonic(), base64.b64decode(event["data"]), self.pointer))
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    def click(self, target: Locator) -> None:
        """Go there as a hand does, and press."""
        box = target.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        was = self.pointer or (WIDTH / 2, HEIGHT / 2)
        for step in range(1, 11):
            self.pointer = (was[0] + (x - was[0]) * step / 10, was[1] + (y - was[1]) * step / 10)
            self.page.mouse.move(*self.pointer)
            self.look(30)
        target.click()

    def look(self, ms: float) -> None:
        """Let the audience see it: what is filmed is time."""
        self.page.wait_for_timeout(ms)


def _fill_in(stage: Stage) -> None:
    stage.look(600)
    stage.click(stage.page.get_by_role("button", name="a case study in event-driven AI"))
    expect(section(stage.page, FIRST)).to_be_visible()
    stage.look(4_500)
    for _ in range(24):
        stage.page.mouse.wheel(0, 60)
        stage.look(80)
    stage.look(1_500)


def _complete(page: Page) -> None:
    until_complete(page)
    page.evaluate("() => scrollTo({ top: 0 })")
    page.get_by_role("navigation").evaluate("(outline) => outline.scrollTo(0, 220)")


def _edit(stage: Stage) -> None:
    page = stage.page
    stage.look(900)
    part = section(page, FIRST)
    part.hover()
    stage.click(part.get_by_role("button", name=words("tools.edit"), exact=True))
    box = page.get_by_role("textbox", name=words("edit.text", FIRST))
    box.press("Control+Home")
    for letter in BY_HAND:
        box.press_sequentially(letter)
        stage.look(15)
    stage.look(400)
    box.evaluate(
        "(box) => box.closest('section').querySelector('button.primary').scrollIntoView({ block: 'center', behavior: 'smooth' })"
    )
    stage.look(500)
    stage.click(button(page, words("edit.save")))
    proposal = page.get_by_role("alertdialog")
    expect(proposal).to_be_visible()
    page.evaluate("() => scrollTo({ top: 0, behavior: 'smooth' })")
    stage.look(2_200)
    stage.click(button(page, words("edit.update")))
    expect(page.locator("section[data-state=streaming]")).to_be_attached()


def _stop(stage: Stage) -> None:
    stage.look(900)
    stage.click(button(stage.page, words("page.stop")))
    expect(stage.page.get_by_text("not spent")).to_be_visible()
    stage.look(2_500)


ACTS: Final = (
    Act("A brief and sources: every section is written at the same time, each claim cited", 9.0, _fill_in, _complete),
    Act("Change a text: you see what it touches and costs, and only that is written anew", 7.0, _edit),
    Act("Stop: the models’ connections are closed, and the receipt says what was saved", 4.0, _stop),  # noqa: RUF001
)


def film(browser: Browser, home: str, theme: Literal["light", "dark"]) -> list[tuple[Act, list[Frame]]]:
    """Every act, with what was filmed of it."""
    viewport: Any = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=viewport, device_scale_factor=SCALE, color_scheme=theme)
    page = context.new_page()
    page.goto(home)
    expect(page.get_by_role("heading", name=words("first.demo"))).to_be_visible()
    stage = Stage(page)
    filmed: list[tuple[Act, list[Frame]]] = []
    for act in ACTS:
        last = stage.frames[-1:]  # What stood there when it began.
        stage.frames = [frame._replace(at_s=time.monotonic()) for frame in last]
        act.does(stage)
        filmed.append((act, [*stage.frames, stage.frames[-1]._replace(at_s=time.monotonic())]))
        act.off_camera(page)
    context.close()
    return filmed


def shown(act: Act, frames: list[Frame]) -> list[Frame]:
    """The frames that play, so many a second: of an act that took longer, every so many."""
    began, took = frames[0].at_s, frames[-1].at_s - frames[0].at_s
    wanted = round(act.plays_s * FRAMES_PER_S)
    at = 0
    found: list[Frame] = []
    for number in range(wanted):
        moment = began + took * (number + 1) / wanted
        while at + 1 < len(frames) and frames[at + 1].at_s <= moment:
            at += 1
        found.append(frames[at])
    return found


def drawn(frame: Frame, act: Act, number: int, theme: Literal["light", "dark"]) -> Image.Image:
    """A frame with its caption below and the pointer on it."""
    page, ink, soft = ("#ffffff", "#1c1b1a", "#1f5fd0") if theme == "light" else ("#1c1c1f", "#eceae6", "#7fb0ff")
    width, height, band = round(WIDTH * SCALE), round(HEIGHT * SCALE), round(CAPTION_PX * SCALE)
    image = Image.new("RGB", (width, height + band), page)
    image.paste(Image.open(io.BytesIO(frame.png)).convert("RGB").resize((width, height)), (0, 0))
    draw = ImageDraw.Draw(image)
    draw.line((0, height, width, height), fill=soft, width=2)
    middle = height + band // 2
    draw.ellipse((20, middle - 14, 48, middle + 14), fill=soft)
    draw.text((34, middle), str(number), font=ImageFont.load_default(18), fill=page, anchor="mm")
    draw.text((62, middle), act.caption, font=ImageFont.load_default(23), fill=ink, anchor="lm")
    if frame.pointer is not None:
        x, y = (value * SCALE for value in frame.pointer)
        arrow = ((0, 0), (0, 22), (5, 17), (9, 26), (13, 24), (9, 16), (16, 16))
        draw.polygon([(x + dx, y + dy) for dx, dy in arrow], fill="#1c1b1a", outline="#ffffff")
    return image


def main() -> int:
    """Make it in both themes; 1 where it came out too large for a README."""
    expect.set_options(timeout=PATIENCE_MS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    size = 0
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        config = Path(name) / "pace.toml"
        config.write_text(SETTINGS, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=found(), args=list(ARGUMENTS))
        for theme in ("light", "dark"):
            with running(Path(name) / theme, "--writers", "2", "--config", str(config)) as system:
                filmed = film(browser, system.gateway, theme)
            pictures = [
                drawn(frame, act, number, theme)
                for number, (act, frames) in enumerate(filmed, 1)
                for frame in shown(act, frames)
            ]
            file = FOLDER / f"scriptorium-{theme}.webp"
            pictures[0].save(
                file,
                save_all=True,
                append_images=pictures[1:],
                duration=round(1_000 / FRAMES_PER_S),
                loop=0,
                quality=QUALITY,
                method=4,
                kmax=60,
            )
            size = max(size, file.stat().st_size)
            print(f"{file}: {len(pictures)} frames, {file.stat().st_size:,} bytes")
        browser.close()
    return 1 if size > BYTES_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
