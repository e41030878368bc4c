"""What watches over every test here does see what it is for."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.dictated import DictatedModel
from tests.e2e.browser.visitor import Visitor, missing_policy

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'"
)


@pytest.mark.parametrize(
    ("does", "seen"),
    [
        ("console.error('no')", "console: no"),
        ("setTimeout(() => { throw new Error('no'); })", "uncaught: no"),
        ("new Image().src = 'http://127.0.0.2:9/x'", "another host: http://127.0.0.2:9/x"),
        ("window.open('http://127.0.0.2:9/y')", "another host: http://127.0.0.2:9/y"),
    ],
)
def test_what_a_page_must_not_do_is_noticed(browser: Browser, model: DictatedModel, does: str, seen: str) -> None:
    visitor = Visitor(browser, model.address)
    page = visitor.open("/v1/models")
    page.evaluate(f"() => {{ {does}; return new Promise(done => setTimeout(done)); }}")
    if "open" in does:
        visitor.context.wait_for_event("page")
    with pytest.raises(AssertionError, match=seen):
        visitor.check()
    visitor.close()


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        (STRICT, []),
        (
            "",
            [
                "default-src",
                "script-src",
                "style-src",
                "connect-src",
                "base-uri",
                "form-action",
                "require-trusted-types-for",
            ],
        ),
        (STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"), ["style-src", "unsafe-inline"]),
        (f"{STRICT}; img-src https:", ["https:"]),
    ],
)
def test_a_lax_policy_is_noticed(policy: str, wrong: list[str]) -> None:
    assert missing_policy(policy) == wrong
