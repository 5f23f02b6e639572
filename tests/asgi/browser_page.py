"""A page of the server's own origin in a real browser, with somebody else's client and files to send."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from tests.live.test_browser import BROWSER, FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.asgi.server import Server

HTML = "<!doctype html><title>sender</title><input type=file multiple>"


@contextmanager
def sending_page(server: Server, script: Path, files: Sequence[Path]) -> Iterator[Page]:
    """While it is open Django's ORM cannot be used in this thread: the browser's loop runs in it."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page()
        page.route("**/sender", lambda route: route.fulfill(body=HTML, content_type="text/html"))
        page.goto(f"{server.url}/sender")
        page.add_script_tag(path=str(script))
        page.set_input_files("input", [str(path) for path in files])
        yield page
        browser.close()


def run(page: Page, body: str, **given: Any) -> Any:
    """`body` is of an async function that knows `files` and what is given."""
    names = ", ".join(given)
    return page.evaluate(
        f"async ({{{names}}}) => {{ const files = document.querySelector('input').files; {body} }}",
        json.loads(json.dumps(given)),
    )
