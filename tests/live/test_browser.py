"""The web pages as a person uses them, in a real browser on the whole platform."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.live.bench_user import bench_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SAMPLE = Path(__file__).resolve().parents[2] / "orchestration" / "samples" / "penguins.csv"
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
def console() -> list[str]:
    """Errors that the browser's console has said; a test that expects some clears them."""
    return []


@pytest.fixture
def page(platform: Platform, console: list[str]) -> Iterator[Page]:
    """Signed in. Whatever the console says as an error fails the test."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    user, password = bench_user(platform)
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page()
        page.on("console", lambda message: console.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(f"{platform.url}/login/")
        page.fill("#id_username", user)
        page.fill("#id_password", password)
        page.click("button.primary")
        page.wait_for_url(lambda url: "/login" not in url)
        yield page
        browser.close()
    assert console == []


def test_file_goes_in_and_its_report_comes_out_without_a_reload(page: Page, platform: Platform) -> None:
    page.goto(f"{platform.url}/")
    page.get_by_role("link", name="New job").last.click()
    page.wait_for_url("**/jobs/new/")  # with its scripts: a file that is chosen before them is not heard of
    page.set_input_files("input[type=file]", str(SAMPLE))
    page.get_by_text("Profile a table").click()
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url("**/jobs/*/")

    expect(page.get_by_text("Succeeded").first).to_be_visible(timeout=60_000)
    report = page.frame_locator("iframe").first
    expect(report.get_by_text("penguins.csv").first).to_be_visible(timeout=10_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert download.value.suggested_filename


def test_running_job_is_canceled_after_a_question(page: Page, platform: Platform) -> None:
    platform.publish(
        "pipeline: browser-wait\nversion: 1.0.0\ntitle: Wait\nsteps:\n  - name: wait\n    command: [sleep, '600']\n"
    )
    file = platform.upload("a.txt", b"x")["id"]
    job = platform.submit("browser-wait", [file], key="browser-cancel")
    page.goto(f"{platform.url}{job['url']}")
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").last.click()
    expect(page.get_by_text("Canceled").first).to_be_visible(timeout=15_000)


def test_uploaded_page_cannot_run_its_script(page: Page, platform: Platform, console: list[str]) -> None:
    """A hostile file, opened by somebody who is signed in: no script of it runs."""
    hostile = b"<html><head><title>mine</title></head><body>hello<script>document.title='owned'</script></body></html>"
    file = platform.upload("page.html", hostile)
    page.goto(f"{platform.url}/files/{file['id']}/preview")
    expect(page.get_by_text("hello")).to_be_visible()
    assert page.title() == "mine"
    assert any("Blocked script execution" in line or "Content Security Policy" in line for line in console)
    console.clear()
    answer = platform.call("GET", f"/files/{file['id']}/content")
    assert "attachment" in answer.headers["content-disposition"]
    assert "sandbox" in answer.headers["content-security-policy"]
