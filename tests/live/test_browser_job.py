"""A job's page in a real browser: timeline, items and log, with the keyboard, and while the server goes and comes."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.live.browsing import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FAN_OUT = """\
pipeline: browser-items
version: 1.0.0
title: Look at each
steps:
  - name: look
    title: {en: Look at each}
    for_each: input
    tolerate: {failed_items: 90%}
    command: [sh, -c, 'echo item $ESTEIRA_ITEM; test "$ESTEIRA_ITEM" != 2 || exit 3']
  - {name: sum, title: {en: Sum up}, needs: [look], command: ["true"]}
"""

LOG = """\
pipeline: browser-log
version: 1.0.0
title: Write much
steps:
  - name: write
    command:
      - sh
      - -c
      - |
        i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo "row $i of many"; done
        sleep 4; echo almost; sleep 25; echo last
"""


@pytest.fixture
def wrong(page: Page) -> list[str]:
    """What the console says as an error, the policy's refusals among them."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def fan_out(platform: Platform) -> dict[str, Any]:
    platform.publish(FAN_OUT)
    files = [platform.upload(f"{n}.txt", b"%d" % n)["id"] for n in range(5)]
    job = platform.submit("browser-items", files, key=token_hex(8))
    return platform.wait(job["id"])


def test_items_are_walked_with_the_keyboard_and_the_failed_one_is_found(
    page: Page, platform: Platform, wrong: list[str]
) -> None:
    job = fan_out(platform)
    assert job["state"] == "SUCCEEDED"
    sign_in(page, platform, job["url"])
    expect(page.locator("#job-graph .node")).to_have_count(2)
    panel = page.locator("#items-panel")
    said = panel.get_by_role("status")
    panel.locator("canvas").focus()
    page.keyboard.press("End")
    expect(said).to_contain_text("4.txt")
    panel.get_by_role("button", name=re.compile("Failed")).click()
    expect(said).to_contain_text("2.txt")
    expect(said).to_contain_text("The pipeline's fault")
    panel.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("2.txt")
    page.keyboard.press("Enter")
    expect(page.locator("#log-panel pre")).to_contain_text("item 2")
    assert wrong == []


def test_enter_right_after_an_arrow_key_opens_the_log_of_the_cell_that_was_reached(
    page: Page, platform: Platform, wrong: list[str]
) -> None:
    job = fan_out(platform)
    sign_in(page, platform, job["url"])
    panel, log = page.locator("#items-panel"), page.locator("#log-panel pre")
    canvas = panel.locator("canvas")
    canvas.focus()
    page.keyboard.press("Home")
    expect(panel.get_by_role("status")).to_contain_text("0.txt")
    # Both keys before anything can have been fetched.
    canvas.evaluate(
        "node => ['ArrowRight', 'Enter'].forEach((key) => node.dispatchEvent(new KeyboardEvent('keydown', { key })))"
    )
    expect(log).to_contain_text("item 1")
    canvas.evaluate(
        "node => ['ArrowRight', 'Enter', 'End'].forEach((key) =>"
        " node.dispatchEvent(new KeyboardEvent('keydown', { key })))"
    )
    expect(panel.get_by_role("status")).to_contain_text("4.txt")
    expect(log).to_contain_text("item 1")  # who has moved on opens none
    assert wrong == []


def test_bar_of_the_timeline_leads_to_its_log(page: Page, platform: Platform, wrong: list[str]) -> None:
    job = fan_out(platform)
    sign_in(page, platform, job["url"])
    bar = page.get_by_role("link", name=re.compile(r"^3\.txt, try 1 · Succeeded"))
    box = bar.locator("rect").bounding_box()
    assert box is not None
    assert box["width"] >= 1, "what took a moment is in sight"
    bar.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#log-panel pre")).to_contain_text("item 3")
    assert wrong == []


def test_log_is_searched_linked_and_followed_over_a_restart_of_the_server(page: Page, platform: Platform) -> None:
    platform.publish(LOG)
    file = platform.upload("a.txt", b"x")["id"]
    job = platform.submit("browser-log", [file], key=token_hex(8))
    sign_in(page, platform, job["url"])
    pre = page.locator("#log-panel pre")
    expect(pre).to_contain_text("row 5000 of many", timeout=60_000)
    assert pre.evaluate("node => node.scrollHeight - node.scrollTop - node.clientHeight") < 24, "it is followed"
    alone = page.get_by_role("link", name="Open alone").get_attribute("href")

    page.goto(f"{platform.url}{alone}#L120")
    expect(page.locator("#L120")).to_have_class(re.compile("marked"), timeout=20_000)
    expect(page.locator("#L120")).to_be_in_viewport()
    whole = page.request.get(f"{platform.url}{alone}log/download/").text().splitlines()
    expect(page.locator("#L120")).to_have_text(whole[119])
    page.keyboard.press("/")
    page.keyboard.type("row 4999 of")
    expect(page.locator("[data-log-found]")).to_have_text("1 of 1")
    expect(page.get_by_text("row 4999 of many")).to_be_in_viewport()

    page.goto(f"{platform.url}{job['url']}")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    platform.kill("web")
    expect(page.locator("[data-live-status]")).to_have_text("Reconnecting")
    expect(page.locator("[data-live-status]")).to_have_text("Live", timeout=60_000)
    expect(page.locator("#live-away")).to_be_hidden()
    expect(pre).to_contain_text("last", timeout=60_000)
    expect(page.locator("#job-state .chip")).to_have_text("Succeeded", timeout=20_000)


def test_page_says_when_it_hears_nothing_and_shows_the_truth_afterwards(page: Page, platform: Platform) -> None:
    sign_in(page, platform, "/jobs/")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    banner = page.locator("#live-away")
    page.context.set_offline(offline=True)
    platform.kill("web")
    expect(banner).to_be_visible(timeout=20_000)
    file = platform.upload("b.txt", b"x")["id"]
    platform.submit("inspect", [file], key=token_hex(8), name="Sent meanwhile")
    page.context.set_offline(offline=False)
    expect(page.get_by_role("link", name="Sent meanwhile")).to_be_visible(timeout=60_000)
    expect(banner).to_be_hidden()


def test_list_is_walked_with_j_and_k_and_stays_there_when_it_changes(page: Page, platform: Platform) -> None:
    file = platform.upload("c.txt", b"x")["id"]
    for name in ("older", "newer"):
        platform.wait(platform.submit("inspect", [file], key=token_hex(8), name=name)["id"])
    sign_in(page, platform, "/jobs/")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="newer").first).to_be_focused()
    page.keyboard.press("j")
    older = page.get_by_role("link", name="older").first
    expect(older).to_be_focused()
    platform.submit("inspect", [file], key=token_hex(8), name="newest")
    expect(page.get_by_role("link", name="newest")).to_be_visible(timeout=20_000)
    expect(older).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("name:older jk")
    expect(page.locator("#filter")).to_have_value("name:older jk")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="newer").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="newer")).to_be_visible()
