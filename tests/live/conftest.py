from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.live.browsing import FLAGS, chromium, sign_in
from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Playwright


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """One platform for all live tests of a run; each makes its own jobs."""
    with running() as platform:
        yield platform


@pytest.fixture(scope="module")
def tools() -> Iterator[Playwright]:
    with sync_playwright() as tools:
        yield tools


@pytest.fixture(scope="module")
def chrome(tools: Playwright) -> Iterator[Browser]:
    browser = tools.chromium.launch(executable_path=chromium(), args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    context = chrome.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, platform: Platform) -> Page:
    """The files page, signed in."""
    page = context.new_page()
    sign_in(page, platform)
    return page
