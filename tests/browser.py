"""Finds a Chromium, or installs one; `python -m tests.browser` prints where it is, or fails saying what to do.

Browser tests are never skipped: without a browser the test run fails here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "SCRIPTORIUM_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OFF = (
    # What Playwright turns off itself: of several such lists, Chromium heeds the last one.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning", "AimEnabled"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "PreconnectToSearch"),
    # The browser's own buttons as web pages, in a process of their own for each window that nobody sees.
    *("InitialWebUI", "PreloadTopChromeWebUI", "WebUIToolbar", "WebUILocationBar", "WebUIReloadButton"),
    *("WebUIBackForwardButton", "WebUIHomeButton", "WebUISplitTabsButton", "WebUIOmniboxPopup"),
    *("WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "OmniboxAimPopup", "AiModeOmniboxEntryPoint"),
)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    f"--disable-features={','.join(OFF)}",
)


def found() -> str | None:
    """The path of a Chromium on this machine: named by the environment, on PATH, or Playwright's own."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    on_path = next((path for name in NAMES if (path := shutil.which(name))), None)
    return on_path or _playwrights()


def _playwrights() -> str | None:
    # In a process of its own: Playwright refuses to begin where an event loop runs, or another Playwright.
    asking = "from playwright.sync_api import sync_playwright as p\nwith p() as it: print(it.chromium.executable_path)"
    answer = subprocess.run([sys.executable, "-c", asking], check=True, capture_output=True, text=True)  # noqa: S603 -- our own program
    path = answer.stdout.strip()
    return path if Path(path).exists() else None


def installed() -> str | None:
    """Install one: Debian's package where we may, else Playwright's installer."""
    attempts: list[list[list[str]]] = []
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts.append([["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]])
    attempts.append([[sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]])
    for commands in attempts:
        if all(subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0 for command in commands):  # noqa: S603 -- fixed commands
            path = found()
            if path:
                return path
    return None


def main() -> None:
    """Print the path, or fail."""
    path = found() or installed()
    if path is None:
        sys.exit(f"No Chromium: install one (Debian: apt-get install chromium) or name it in {VARIABLE}.")
    print(path)  # noqa: T201 -- its one purpose


if __name__ == "__main__":
    main()
