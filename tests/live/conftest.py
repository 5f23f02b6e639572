from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.aws_double.running import AwsDouble, aws_double
from tests.live.browsing import FLAGS, chromium, sign_in
from tests.live.on_buckets import RESULTS, UPLOADS, on_s3
from tests.live.platform import Platform, running
from tests.s3_double.server import S3Double

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, Playwright


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """One platform for all live tests of a run; each makes its own jobs."""
    with running() as platform:
        yield platform


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsDouble]:
    with aws_double(tmp_path_factory.mktemp("aws")) as double:
        yield double


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


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Double]:
    folder: Path = tmp_path_factory.mktemp("s3")
    with S3Double(folder) as double:
        for bucket in (UPLOADS, RESULTS):
            double.add_bucket(bucket)
            double.allow_origin(bucket, "*")
        yield double


@pytest.fixture(scope="module")
def direct(s3: S3Double) -> Iterator[Platform]:
    """On the strict object store, behind a relay that keeps what passes the web process."""
    with running(on_s3(s3), relayed=True) as platform:
        yield platform
