"""What holds on every page, in a real browser: own fonts, a strict policy, questions before what cannot be undone."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.live.browsing import account, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def as_staff(page: Page, platform: Platform, path: str) -> None:
    sign_in(page, platform, "/files/")
    user, _ = account(platform.url)
    platform.sql("UPDATE orchestration_user SET is_staff = true WHERE username = %s RETURNING id", user)
    page.goto(f"{platform.url}{path}")


def test_design_page_shows_itself_without_a_word_from_elsewhere(page: Page, platform: Platform) -> None:
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    as_staff(page, platform, "/design/")
    expect(page.get_by_role("heading", name="Design", exact=True)).to_be_visible()
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px Inter'))")
    icon = page.locator("[data-icon=check]").first
    assert icon.evaluate("node => getComputedStyle(node).maskImage").startswith('url("data:image/svg+xml')
    grounds = {
        theme: page.locator(f".theme-{theme}").evaluate("node => getComputedStyle(node).backgroundColor")
        for theme in ("light", "dark")
    }
    assert grounds == {"light": "rgb(246, 245, 241)", "dark": "rgb(18, 19, 22)"}
    assert all(url.startswith((platform.url, "data:")) for url in asked)
    assert wrong == []


def test_question_is_answered_with_the_keyboard(page: Page, platform: Platform) -> None:
    as_staff(page, platform, "/design/")
    page.get_by_role("button", name="Ask before an act").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Go back")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_token_is_rotated_from_the_table(page: Page, platform: Platform) -> None:
    sign_in(page, platform, "/tokens/")
    page.get_by_label("Name", exact=True).fill("to rotate")
    page.get_by_role("button", name="Create the token").click()
    first = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Rotate … to rotate").click()
    sheet = page.get_by_role("form", name="Rotate to rotate").or_(page.locator(".sheet:popover-open")).first
    box = sheet.get_by_label("The old one works").bounding_box()
    assert box is not None
    assert box["width"] > 200, "the choices can be read"
    sheet.get_by_role("button", name="Rotate", exact=True).click()
    expect(page.locator("#secret")).not_to_have_text(first)
    expect(page.locator("nav .current, nav [aria-current]").first).to_have_text("Settings")


def test_start_page_moves_by_itself_and_leads_to_what_it_says(page: Page, platform: Platform) -> None:
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    sign_in(page, platform, "/")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    expect(page.get_by_text("Stored")).to_be_visible()  # counted after the page has come
    tile = page.get_by_role("link", name="succeeded in 24 hours")
    before = tile.inner_text()
    file = platform.upload("home.txt", b"x")["id"]
    platform.wait(platform.submit("inspect", [file], key=token_hex(8))["id"])
    expect(tile).not_to_have_text(before, timeout=20_000)
    tile.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#filter")).to_have_value("state:succeeded finished:>-24h")
    expect(page.get_by_role("link", name="inspect").first).to_be_visible()
    assert wrong == []


def test_paper_shows_what_was_and_when_without_what_only_a_screen_needs(page: Page, platform: Platform) -> None:
    file = platform.upload("paper.csv", b"a,b\n1,2\n")["id"]
    job = platform.wait(platform.submit("tabular-profile", [file], key=token_hex(8))["id"])
    sign_in(page, platform, f"/jobs/{job['id']}/")
    expect(page.locator("#log-panel .log")).to_be_visible()
    page.emulate_media(media="print")
    for part in ("#job-state", "#job-timeline", "#job-results table", "#log-panel .log", "#job-history"):
        expect(page.locator(part)).to_be_visible()
    for part in (".bar", ".crumb", "#job-report", ".log-bar", "#job-results details", "#do-resubmit"):
        expect(page.locator(part).first).to_be_hidden()
    assert page.locator("#log-panel .log").evaluate("log => log.clientHeight") < 200, "no larger than its lines"
    made = page.locator(".meta time")
    expect(made).to_have_text("just now")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(made).not_to_have_text("just now")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(made).to_have_text("just now")
