"""The settings of a workspace in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.live.browsing import account, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_limits_and_retention_are_changed_by_keyboard(page: Page, platform: Platform) -> None:
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    user, _ = account(platform.url)
    platform.sql(
        "UPDATE orchestration_user SET is_staff = true, is_superuser = true WHERE username = %s RETURNING id", user
    )
    sign_in(page, platform, "/settings/")
    expect(page.get_by_role("navigation", name="Settings").get_by_role("link")).to_have_text(
        ["General", "Members", "Tokens", "Service accounts", "Webhooks", "Audit log"]
    )
    page.get_by_label("Storage, in GiB").fill("512.5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    expect(page.get_by_label("Storage, in GiB")).to_have_value("512.5")
    page.get_by_label("Storage, in GiB").fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Storage, in GiB")).to_have_value("")

    days = page.get_by_label("Results, in days")
    days.fill("1825")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Change how long files are kept?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    expect(days).to_have_value("1826")
    days.fill("1825")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Change it").press("Enter")
    expect(page.get_by_text("It counts for files that come from now on.").first).to_be_visible()
    expect(days).to_have_value("1825")

    page.get_by_role("navigation", name="Settings").get_by_role("link", name="Webhooks").click()
    expect(page.get_by_role("heading", name="Webhooks")).to_be_visible()
    expect(page.locator("nav.nav [aria-current]")).to_have_text("Settings")
    assert wrong == []
