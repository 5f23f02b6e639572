"""The list of jobs in a real browser, mostly by keyboard: filters saved, rows chosen, many jobs mended at once."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.live.browsing import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FAILS = """\
pipeline: browser-fails
version: 1.0.0
title: Fail
steps:
  - {name: fail, command: ["false"], retry: {attempts: 1}}
"""


@pytest.fixture
def batch(platform: Platform) -> str:
    """The label of four jobs that have failed."""
    platform.publish(FAILS)
    file = platform.upload("a.txt", b"x")["id"]
    batch = token_hex(4)
    jobs = [
        platform.submit("browser-fails", [file], key=token_hex(8), name=f"{batch} {n}", labels={"batch": batch})["id"]
        for n in range(4)
    ]
    for job in jobs:
        platform.wait(job)
    return batch


@pytest.fixture
def wrong(page: Page) -> list[str]:
    """What the console says as an error, the policy's refusals among them."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def test_failed_jobs_are_found_chosen_and_retried_by_keyboard_alone(
    page: Page, platform: Platform, wrong: list[str], batch: str
) -> None:
    sign_in(page, platform, "/jobs/")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    bar = page.get_by_role("form", name="What to do with the chosen jobs")
    page.keyboard.press("/")
    page.keyboard.type(f"state:failed label:batch={batch}")
    page.keyboard.press("Enter")
    expect(page.locator("#jobs tbody tr")).to_have_count(4)
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar).to_contain_text("1 job chosen")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(bar).to_contain_text("3 jobs chosen")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.keyboard.press("k")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("b")
    page.keyboard.press("Tab")
    expect(bar.get_by_role("button", name="Retry …")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Retry 2 jobs?")).to_be_visible()
    expect(page.locator("tbody tr .whole")).to_have_text([f"{batch} 2", f"{batch} 1"])
    page.get_by_role("button", name="Retry 2 jobs", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Retry jobs: 2 of 2 jobs done.")).to_be_visible(timeout=30_000)
    expect(page.locator("#bulk tbody tr")).to_have_count(2)
    expect(page.locator("#bulk tbody .chip").first).to_be_visible()
    page.get_by_role("link", name="To the jobs").click()
    expect(page.locator("#bulk-now")).to_contain_text("2 of 2 jobs done")
    assert wrong == []


def test_all_that_fit_are_labelled_and_the_choice_outlives_a_change_of_the_list(
    page: Page, platform: Platform, wrong: list[str], batch: str
) -> None:
    sign_in(page, platform, f"/jobs/?q=label:batch={batch}")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    boxes = page.locator("#jobs tbody input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(2).click(modifiers=["Shift"])
    bar = page.get_by_role("form", name="What to do with the chosen jobs")
    expect(bar).to_contain_text("3 jobs chosen")
    file = platform.upload("b.txt", b"x")["id"]
    platform.submit("browser-fails", [file], key=token_hex(8), name="came later", labels={"batch": batch})
    expect(boxes).to_have_count(5, timeout=20_000)
    expect(bar).to_contain_text("3 jobs chosen")
    expect(boxes.nth(0)).not_to_be_checked()
    expect(boxes.nth(1)).to_be_checked()
    bar.get_by_label("All that fit the filter").check()
    bar.get_by_role("button", name="Label …").click()
    expect(page.get_by_role("heading", name="Label 5 jobs?")).to_be_visible()
    page.get_by_label("Labels to set").fill("seen=yes")
    page.get_by_role("button", name="Label 5 jobs", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Label jobs: 5 of 5 jobs done.")).to_be_visible(timeout=30_000)
    found = platform.call("GET", "/jobs", params={"q": f"label:batch={batch} label:seen=yes"}).json()["items"]
    assert len(found) == 5
    assert wrong == []


def test_filter_is_saved_renamed_deleted_and_undone(page: Page, platform: Platform, wrong: list[str]) -> None:
    mine = f"night {token_hex(3)}"
    sign_in(page, platform, "/jobs/?q=label:night+state:failed")
    page.get_by_role("button", name="Save this filter").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type(mine)
    page.keyboard.press("Enter")
    saved = page.get_by_role("navigation", name="Saved filters")
    expect(saved.get_by_role("link", name=mine)).to_have_attribute("aria-current", "true")
    page.goto(f"{platform.url}/jobs/")
    saved.get_by_role("link", name=mine).click()
    expect(page.locator("#filter")).to_have_value("label:night state:failed")

    saved.get_by_role("button", name=f"Change {mine}").click()
    sheet = page.get_by_role("dialog", name=mine)
    link = sheet.locator(".secret").inner_text()
    assert link.startswith(f"{platform.url}/jobs/?q=label%3Anight")
    sheet.get_by_label("Name").fill(f"{mine} too")
    sheet.get_by_role("button", name="Rename").click()
    saved.get_by_role("button", name=f"Change {mine} too").click()
    page.get_by_role("dialog", name=f"{mine} too").get_by_role("button", name="Delete").click()
    expect(page.get_by_text(f"{mine} too is deleted.")).to_be_visible()
    expect(saved.get_by_role("link", name=mine)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(saved.get_by_role("link", name=f"{mine} too")).to_be_visible()
    expect(page.locator("#filter")).to_have_value("label:night state:failed")
    page.goto(link)
    expect(page.locator("#filter")).to_have_value("label:night state:failed")
    assert wrong == []


def test_columns_are_chosen_and_still_there_after_signing_in_anew(
    page: Page, platform: Platform, wrong: list[str], batch: str
) -> None:
    sign_in(page, platform, f"/jobs/?q=label:batch={batch}")
    page.get_by_role("button", name="Columns").click()
    sheet = page.get_by_role("dialog", name="Columns")
    sheet.get_by_label("Labels").check()
    sheet.get_by_label("Files").uncheck()
    sheet.get_by_role("button", name="Show these").click()
    heads = page.locator("#jobs thead th")
    expect(heads.filter(has_text=re.compile("^Labels$"))).to_be_visible()
    expect(page.locator("#jobs tbody tr").first).to_contain_text(f"batch={batch}")
    page.goto("about:blank")  # else the page's socket might come without its cookie
    page.context.clear_cookies()
    sign_in(page, platform, "/jobs/")
    expect(heads.filter(has_text=re.compile("^Labels$"))).to_be_visible()
    expect(heads.filter(has_text=re.compile("^Files$"))).to_have_count(0)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("dialog", name="Columns").get_by_role("button", name="The usual ones").click()
    expect(heads.filter(has_text=re.compile("^Files$"))).to_be_visible()
    assert wrong == []


def test_rows_are_chosen_on_a_phone(page: Page, platform: Platform, wrong: list[str], batch: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, platform, f"/jobs/?q=label:batch={batch}")
    box = page.locator("#jobs tbody .mark label").first
    room = box.bounding_box()
    assert room
    assert min(room["width"], room["height"]) >= 24
    box.click()
    assert page.url.split("?")[0] == f"{platform.url}/jobs/", "the row's own link is beside it"
    bar = page.get_by_role("form", name="What to do with the chosen jobs")
    expect(bar.get_by_role("button", name="Retry …")).to_be_in_viewport()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    assert wrong == []
