"""Words that came and went on a page, and whether the page came from the back-forward cache."""

from __future__ import annotations

from playwright.sync_api import Page

HEAR = """
window.heard = [];
window.isPersisted = [];
addEventListener('pageshow', (event) => window.isPersisted.push(event.persisted));
new MutationObserver((changes) => {
  for (const { target } of changes) {
    const words = target.textContent ?? '';
    if (words.length < 100 && window.heard.at(-1) !== words) window.heard.push(words);
  }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""
"""A script for every page: remembers what it says here in a moment, however short."""


def until_heard(page: Page, beginning: str) -> None:
    """Wait until the page has shown words that begin so, be it for a moment."""
    page.wait_for_function("(words) => window.heard.some((said) => said.trim().startsWith(words))", arg=beginning)
