"""Chromium for tests of uploads: signed in, slowed down, killed, fed with files and folders as a person would."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import expect

from tests.live.bench_user import bench_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, CDPSession, Locator, Page, Request

    from tests.live.platform import Platform

MIB: Final = 1 << 20
PART: Final = 16 * MIB
LANES: Final = 4
"""Parts that the page sends at once to a server of HTTP/1.1."""
LANES_DIRECT: Final = 6
"""To object storage, where no other call waits for a connection."""
PATIENCE_MS: Final = 120_000
PATIENCE_S: Final = 120
FLAGS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
_platforms: Final[dict[str, Platform]] = {}
_sessions: Final[WeakKeyDictionary[Page, CDPSession]] = WeakKeyDictionary()
_PUT: Final = re.compile(r"(?:/parts/|[?&]partNumber=)([0-9]+)")
"""At the platform or at object storage."""


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine")


@cache
def account(url: str) -> tuple[str, str]:
    """Made once: starting Django for it takes longer than most of these tests."""
    return bench_user(_platforms[url])


def sign_in(page: Page, platform: Platform, path: str = "/files/") -> None:
    """Opens `path`, through the sign-in page where that is in the way."""
    _platforms[platform.url] = platform
    user, password = account(platform.url)
    page.goto(f"{platform.url}{path}")
    if "/login" in page.url:
        page.fill("#id_username", user)
        page.fill("#id_password", password)
        page.click("button.primary")
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto(f"{platform.url}{path}")


def network(page: Page, bytes_per_s: int = 0, *, is_down: bool = False) -> None:
    """Uploads at this pace from now on, 0: as fast as it goes; or not at all."""
    session = _sessions.get(page) or page.context.new_cdp_session(page)
    _sessions[page] = session  # a second one would not take back what the first has asked for
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": is_down, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s or -1},
    )


def drop(page: Page, *paths: Path) -> None:
    """Files and folders from the desktop onto the page."""
    session = page.context.new_cdp_session(page)
    box = page.locator("#drop").bounding_box()
    assert box
    place = {"x": box["x"] + 20, "y": box["y"] + 20}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def make_file(path: Path, size: int, seed: int) -> str:
    """Random where it matters, holes elsewhere so that 5 GiB take no room; its SHA-256."""
    rng = random.Random(seed)
    with path.open("wb") as out:
        for offset in range(0, size, 4 * MIB):
            out.seek(offset)
            out.write(rng.randbytes(min(64 << 10, size - offset)))
        out.truncate(size)
    with path.open("rb") as made:
        return hashlib.file_digest(made, "sha256").hexdigest()


class Puts:
    """Which parts a page has begun to send, by their numbers."""

    def __init__(self, context: BrowserContext) -> None:
        self.parts: Counter[int] = Counter()
        self.add(context)

    def add(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._count(request, 1))
        context.on("requestfailed", self._uncount)

    def _count(self, request: Request, by: int) -> None:
        found = _PUT.search(request.url)
        if request.method == "PUT" and found:
            self.parts[int(found[1])] += by

    def _uncount(self, request: Request) -> None:
        """No byte of it left: nobody listened."""
        if "REFUSED" in (request.failure or ""):
            self._count(request, -1)

    @property
    def repeated(self) -> int:
        return sum(times - 1 for times in self.parts.values())


def wait_until(
    check: Callable[[], object], what: str, *, page: Page | None = None, patience_s: float = PATIENCE_S
) -> None:
    """Playwright's events arrive only while something of it is waited for, so a page may be given."""
    deadline = time.monotonic() + patience_s
    while not check():
        assert time.monotonic() < deadline, f"{what} did not happen"
        if page is None:
            time.sleep(0.05)
        else:
            page.wait_for_timeout(50)


def percent(page: Page) -> float:
    return 100 * float(page.locator("#total-bar").evaluate("bar => bar.value"))


def wait_for_percent(page: Page, least: float) -> None:
    wait_until(lambda: page.locator("#total").is_visible() and percent(page) >= least, f"{least} %", page=page)


def expect_all_sent(page: Page, files: int) -> None:
    said = f"{files:,} of {files:,} file"
    expect(page.locator("#total-text")).to_contain_text(said, timeout=PATIENCE_MS)


def stored(platform: Platform, name: str) -> dict[str, Any]:
    """The newest file of that name, once the platform has read it whole."""
    found: dict[str, Any] = {}

    def is_read() -> bool:
        items = platform.call("GET", "/files", params={"limit": 200}).json()["items"]
        found.update(next((item for item in items if item["name"] == name), {}))
        return bool(found.get("sha256"))

    wait_until(is_read, f"the arrival of {name}")
    return found


def kill_browser(profile: Path) -> None:
    """As a crash would: the process that holds this profile, which this test has started."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if f"--user-data-dir={profile}" in words and not any(word.startswith("--type=") for word in words):
                os.kill(int(process.name), signal.SIGKILL)


def open_uploads(page: Page, name: str) -> list[str]:
    """What has arrived of each unfinished one. Asked as the page asks: uploads are their owner's business alone."""
    found: list[str] = page.evaluate(
        "async (name) => { const { panel } = await import('/static/frontend_app/upload/main.js');"
        " const { items } = await panel.queue.api.call('GET', '?state=open&limit=200');"
        " return items.filter((one) => one.name === name).map((one) => one.received); }",
        name,
    )
    return found


def unfinished(page: Page, name: str) -> Locator:
    return page.locator("#unfinished-list li", has_text=name)
