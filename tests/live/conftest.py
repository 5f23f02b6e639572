from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.aws_double.running import AwsDouble, aws_double
from tests.groups import group_of
from tests.live.browsing import FLAGS, chromium, sign_in
from tests.live.kept import Kept
from tests.live.on_buckets import RESULTS, UPLOADS, on_s3
from tests.live.platform import Platform, running
from tests.s3_double.server import S3Double

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, Playwright


KEPT = Kept()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    yield
    if nextitem is None or group_of(nextitem) != group_of(item):
        KEPT.close()


@pytest.fixture
def platform() -> Platform:
    """One platform for all live tests of a group; each makes its own jobs."""
    return KEPT.one("platform", running)


@pytest.fixture
def aws(tmp_path_factory: pytest.TempPathFactory) -> AwsDouble:
    return KEPT.one("aws", lambda: aws_double(tmp_path_factory.mktemp("aws")))


@pytest.fixture
def on_aws(aws: AwsDouble, s3: S3Double) -> Platform:
    """With its jobs on the double of AWS, whose machines are told no folder of this one."""
    return KEPT.one("on_aws", lambda: running(aws.settings | on_s3(s3)))


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


@pytest.fixture
def s3(tmp_path_factory: pytest.TempPathFactory) -> S3Double:
    return KEPT.one("s3", lambda: _with_buckets(tmp_path_factory.mktemp("s3")))


@contextmanager
def _with_buckets(folder: Path) -> Iterator[S3Double]:
    with S3Double(folder) as double:
        for bucket in (UPLOADS, RESULTS):
            double.add_bucket(bucket)
            double.allow_origin(bucket, "*")
        yield double


@pytest.fixture
def direct(s3: S3Double) -> Platform:
    """On the strict object store, behind a relay that keeps what passes the web process."""
    return KEPT.one("direct", lambda: running(on_s3(s3), relayed=True))
