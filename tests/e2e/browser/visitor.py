"""A browser profile of its own, and what must never happen in it: another host, a broken policy, an error in the console."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, WebError

OF_THE_PAGE = {"data", "blob", "about"}
"""Schemes that lead nowhere."""
GATEWAY_AWAY = (
    "net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|"
    "CONTENT_LENGTH_MISMATCH)"
)
"""What the console says of a server that ends in the middle of whatever it was asked."""
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "require-trusted-types-for": "'script'",
}


class Visitor:
    """One person's browser on the pages of `homes`. `check` says whether all went as it always must."""

    def __init__(self, browser: Browser, *homes: str, **options: Any) -> None:
        self.home = homes[0]
        self.context: BrowserContext = browser.new_context(**options)
        self._hosts = {urlsplit(home).netloc for home in homes}
        self._wrong: list[str] = []
        self._forgiven: list[re.Pattern[str]] = []
        self.requests: list[Request] = []
        self.context.on("request", self._requested)
        self.context.on("response", self._responded)
        self.context.on("console", self._said)
        self.context.on("weberror", self._threw)

    def open(self, path: str = "/", home: str | None = None) -> Page:
        """A new tab."""
        page = self.context.new_page()
        page.goto((home or self.home) + path)
        return page

    def forgive(self, *patterns: str) -> None:
        """Messages in the console that this test brings about itself."""
        self._forgiven += [re.compile(pattern) for pattern in patterns]

    def check(self) -> None:
        """AssertionError where something happened that never may."""
        wrong = [line for line in self._wrong if not any(pattern.search(line) for pattern in self._forgiven)]
        assert not wrong, "\n".join(wrong)

    def close(self) -> None:
        """All its tabs."""
        self.context.close()

    def _requested(self, request: Request) -> None:
        self.requests.append(request)
        url = urlsplit(request.url)
        if url.netloc not in self._hosts and url.scheme not in OF_THE_PAGE:
            self._wrong.append(f"a request to another host: {request.url}")

    def _responded(self, response: Response) -> None:
        is_html = "text/html" in response.headers.get("content-type", "")
        is_page = is_html and not urlsplit(response.url).path.startswith(
            "/api/"
        )  # A file to take away has its own policy.
        if is_page and (missing := missing_policy(response.headers.get("content-security-policy", ""))):
            self._wrong.append(f"the policy of {response.url} lacks {missing}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _threw(self, error: WebError) -> None:
        self._wrong.append(f"uncaught: {error.error}")


def missing_policy(header: str) -> Sequence[str]:
    """What a strict policy has, and this one has not."""
    given = dict(part.split(maxsplit=1) for part in header.split(";") if len(part.split()) > 1)
    wrong = [name for name, value in POLICY.items() if given.get(name) != value]
    return wrong + [
        word for word in ("unsafe-inline", "unsafe-eval", "unsafe-hashes", "http:", "https:") if word in header
    ]
