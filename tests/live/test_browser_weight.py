"""What the first look at a page costs over the wire, with nothing kept from before."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.live.browsing import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MOST: Final = 150_000
MAIN: Final = ["/login/", "/", "/jobs/new/", "/jobs/", "{job}", "/files/", "/files/{file}/", "/pipelines/", "/tokens/"]


_made: Final[dict[str, dict[str, str]]] = {}


@pytest.fixture
def paths(platform: Platform) -> dict[str, str]:
    """Made once on each platform."""
    if platform.url not in _made:
        _made[platform.url] = _things(platform)
    return _made[platform.url]


def _things(platform: Platform) -> dict[str, str]:
    files = [platform.upload(f"weight-{n}.csv", b"a,b\n1,2\n")["id"] for n in range(20)]
    job = platform.wait(platform.submit("tabular-profile", files, key=token_hex(8))["id"])
    return {"job": f"{job['url'].rstrip('/')}/", "file": files[0]}


@pytest.mark.parametrize("path", MAIN)
def test_first_load_is_light(chrome: Browser, platform: Platform, paths: dict[str, str], path: str) -> None:
    with chrome.new_context() as before:
        if path != "/login/":
            sign_in(before.new_page(), platform, "/")
        session = before.storage_state()
    with chrome.new_context(storage_state=session) as context:
        page = context.new_page()
        weights = _weights(page, f"{platform.url}{path.format(**paths)}")
    assert sum(weights.values()) < MOST, sorted(weights.items(), key=lambda one: -one[1])[:12]
    assert len(weights) > 4, "a page has sheets, a script and a font"


def _weights(page: Page, url: str) -> dict[str, int]:
    """Bytes by address, heads included, of what the page itself fetched: a preview in it is another document."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    begun: dict[str, dict[str, Any]] = {}
    weights: dict[str, int] = {}

    def ended(event: dict[str, Any]) -> None:
        if request := begun.get(event["requestId"]):
            address = str(request["request"]["url"])
            weights[address] = weights.get(address, 0) + int(event["encodedDataLength"])

    def began(event: dict[str, Any]) -> None:
        begun.setdefault(event["requestId"], event)

    session.on("Network.requestWillBeSent", began)
    session.on("Network.loadingFinished", ended)
    page.goto(url, wait_until="networkidle")
    own = next(event["frameId"] for event in begun.values() if event["request"]["url"] == url)
    inside = {event["request"]["url"] for event in begun.values() if event["frameId"] == own}
    assert page.url == url
    return {address: size for address, size in weights.items() if address in inside and address.startswith("http")}
