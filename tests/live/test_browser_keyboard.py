"""Everything with the keyboard alone: from signing in to a shared result, with the focus always in sight."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.live.browsing import account
from tests.live.keys import at, press, tab_to

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PIPELINE: Final = """\
pipeline: keys
version: 1.0.0
title: Wait as long as asked
params:
  type: object
  properties: {seconds: {type: integer, minimum: 0, maximum: 600, default: 600, title: Seconds}}
steps:
  - name: wait
    command: [sh, -c, 'sleep $(tr -dc 0-9 < "$ESTEIRA_PARAMS"); echo done > "$ESTEIRA_OUTPUTS/done.txt"']
"""


def test_newcomers_first_job_from_sign_in_to_a_shared_result(
    context: BrowserContext, page: Page, platform: Platform, tmp_path: Path
) -> None:
    platform.publish(PIPELINE)
    page = _signed_in_by_keys(context, platform)
    _skip_link_leads_to_the_content(page)
    press(page, page.get_by_role("navigation", name="Main").get_by_role("link", name="New job"))

    page.wait_for_url("**/jobs/new/")
    _choose_file(page, tmp_path)
    _choose_pipeline(page, "keys")
    seconds = page.get_by_label("Seconds")
    tab_to(page, seconds)
    page.keyboard.press("Control+A")
    page.keyboard.type("1")
    press(page, page.get_by_label("Name of the job"), "End")
    page.keyboard.type("By keys")
    press(page, page.get_by_role("button", name="Submit job"))

    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}/$"))
    expect(page.locator("#job-state .chip")).to_have_text("Succeeded", timeout=60_000)
    expect(page.locator("[data-live-said]")).to_have_text("Succeeded")
    results = page.locator("#job-results")
    with page.expect_download() as download:
        press(page, results.get_by_role("link", name=re.compile(r"^Download done\.txt")))
    assert download.value.path().read_text() == "done\n"

    press(page, results.get_by_role("link", name="Share"))
    page.wait_for_url("**/share/")
    press(page, page.get_by_label("For whom"), "End")
    page.keyboard.type("A friend")
    press(page, page.get_by_role("button", name="Make the link"))
    link = page.locator("#secret")
    link.wait_for()
    tab_to(page, link)
    assert link.inner_text().startswith(platform.url)
    press(page, page.get_by_role("button", name="Take back A friend"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Take back A friend")).to_be_focused()


def test_running_job_is_canceled_and_tried_again(page: Page, platform: Platform) -> None:
    platform.publish(PIPELINE)
    file = platform.upload("keys.txt", b"x")["id"]
    job = platform.submit("keys", [file], key=token_hex(8), params={"seconds": 600})
    page.goto(f"{platform.url}{job['url']}")
    expect(page.locator("#job-state .chip")).to_have_text("Running", timeout=60_000)

    press(page, page.locator("#do-cancel"))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Go back")).to_be_focused()
    for _ in range(6):
        page.keyboard.press("Tab")
        inside = page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
        assert inside, "what lies under a question is not reached"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#do-cancel")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_role("button", name="Cancel the job"))
    page.keyboard.press("Enter")
    expect(page.locator("#job-state .chip")).to_have_text("Canceled", timeout=30_000)

    press(page, page.locator("#do-retry"))
    expect(page.locator("#job-state")).to_contain_text("run 2", timeout=30_000)
    expect(page.locator("#job-state .chip")).to_have_text("Running", timeout=30_000)
    platform.call("POST", f"/jobs/{job['id']}/cancel")


def _signed_in_by_keys(context: BrowserContext, platform: Platform) -> Page:
    user, password = account(platform.url)
    context.clear_cookies()
    page = context.new_page()
    # The browser's own dialog for files is not a page; the older one can be answered for the reader.
    page.add_init_script("delete window.showOpenFilePicker")
    page.goto(f"{platform.url}/login/")
    expect(page.get_by_label("User name or mail address")).to_be_focused()
    page.keyboard.type(user)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def _skip_link_leads_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")
    page.keyboard.press("Home")
    page.reload()


def _choose_file(page: Page, folder: Path) -> None:
    file = folder / "by-keys.csv"
    file.write_text("a,b\n1,2\n")
    tab_to(page, page.get_by_role("button", name="Choose files"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(file)
    expect(page.get_by_text("1 of 1 file")).to_be_visible(timeout=30_000)


def _choose_pipeline(page: Page, name: str) -> None:
    tab_to(page, page.locator("input[name=pipeline]:not(:disabled)").first)
    wanted = page.locator(f"input[name=pipeline][value^='{name}@']")
    page.keyboard.press("Space")
    for _ in range(page.locator("input[name=pipeline]:not(:disabled)").count()):
        if wanted.is_checked():
            return
        page.keyboard.press("ArrowDown")
        here = at(page)
        assert here is not None
        assert here["isSeen"]
    raise AssertionError(f"{name} is not reached with the arrow keys")
