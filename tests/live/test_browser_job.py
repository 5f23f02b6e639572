"""A job's page in a real browser: timeline, items and log, with the keyboard, and while the server goes and comes."""

from __future__ import annotations

import re
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
    job = platform.submit("browser-items", files, key="browser-items")
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
