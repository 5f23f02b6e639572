"""A Chromium that Lighthouse can take over, in which somebody has signed in."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import httpx
from playwright.sync_api import sync_playwright

from tests.live.browsing import FLAGS, chromium, sign_in
from tests.live.platform import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

PATIENCE_S: Final = 60


@contextmanager
def opened() -> Iterator[int]:
    """The port it listens on."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="esteira-lighthouse-", ignore_cleanup_errors=True) as profile:
        flags = [*FLAGS, "--headless=new", f"--remote-debugging-port={port}", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [chromium(), *flags, "--lang=en", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def enter(port: int, platform: Platform) -> None:
    """Through the page for it; what Lighthouse opens then has the session too, live sockets included."""
    with sync_playwright() as tools:
        browser = tools.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        page = browser.contexts[0].new_page()
        sign_in(page, platform, "/")
        page.goto("about:blank")  # its sockets would go on beside what is measured
        browser.close()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/json/version", trust_env=False).raise_for_status()
            return
        time.sleep(0.1)
    raise RuntimeError("Chromium did not start.")
