"""What moves by itself for a person: the bell on every page, and the start page over a restart of the server."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.live.browsing import account, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SLOW = """\
pipeline: browser-slow
version: 1.0.0
title: Take a while
steps:
  - {name: wait, command: [sleep, "12"]}
"""


def tell(platform: Platform, name: str) -> None:
    """As a worker would, in a process of its own."""
    user, _ = account(platform.url)
    platform.manage(
        "shell",
        "-c",
        "from orchestration.execution.notifying import tell; from orchestration.models import User, Workspace; "
        f"user = User.objects.get(username='{user}'); here = Workspace.objects.visible_to(user).first(); "
        "tell(kind='file.trouble', workspace_id=here.pk, people=[user.pk], group='x', "
        f"data={{'file': str(user.pk), 'name': '{name}', 'what': 'damaged', 'detail': 'It differs.'}})",
    )


def test_bell_counts_by_itself_and_everything_behind_it_is_done_with_the_keyboard(
    page: Page, platform: Platform
) -> None:
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    sign_in(page, platform, "/notifications/")
    if page.get_by_role("button", name="Mark all as read").count():
        page.get_by_role("button", name="Mark all as read").click()
    page.goto(f"{platform.url}/files/")  # which has no socket of its own
    expect(page.locator("#bell")).to_be_visible()
    with page.expect_websocket(lambda socket: socket.url.endswith("/ws/me")):
        page.reload()
    expect(page.locator(".bell-count")).to_have_count(0)
    tell(platform, "first.csv")
    expect(page.locator(".bell-count")).to_have_text("1", timeout=20_000)
    page.goto(f"{platform.url}/jobs/")  # which has
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    tell(platform, "second.csv")
    page.locator("#bell").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="2 files are damaged")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Mark all as read").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".bell-count")).to_have_count(0)
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".bell-count")).to_have_text("1")
    assert wrong == []


@pytest.mark.parametrize("where", ["home", "jobs", "job"])
def test_page_says_reconnecting_when_the_server_restarts_and_then_the_truth(
    page: Page, platform: Platform, where: str
) -> None:
    platform.publish(SLOW)
    file = platform.upload("slow.txt", b"x")["id"]
    name = f"Slow {token_hex(3)}"
    job = platform.submit("browser-slow", [file], key=token_hex(8), name=name)
    sign_in(page, platform, {"home": "/", "jobs": "/jobs/", "job": job["url"]}[where])
    light = page.locator("[data-live-status]")
    expect(light).to_have_text("Live")
    expect(page.get_by_text("Running").first).to_be_visible(timeout=30_000)
    platform.kill("web")
    expect(light).to_have_text("Reconnecting")
    expect(light).to_have_text("Live", timeout=60_000)
    expect(page.locator("#live-away")).to_be_hidden()
    if where == "home":
        expect(page.locator("#home-now").get_by_role("link", name=name)).to_have_count(0, timeout=60_000)
    elif where == "jobs":
        row = page.get_by_role("row").filter(has_text=name)
        expect(row.locator(".chip")).to_have_text("Succeeded", timeout=60_000)
    else:
        expect(page.locator("#job-state .chip")).to_have_text("Succeeded", timeout=60_000)
