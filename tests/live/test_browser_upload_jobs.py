"""The new-job page while files are on their way: the job starts when they are there. And all of it by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.live.browsing import (
    MIB,
    PATIENCE_MS,
    expect_all_sent,
    make_file,
    network,
    sign_in,
    wait_for_percent,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import FileChooser, Page, Route

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PACE = 16 * MIB
TAKES_ALL = """\
pipeline: {name}
version: 1.0.0
title: Look at {name}
params: {{type: object, required: [album], properties: {{album: {{type: string, minLength: 2, title: Album}}}}}}
steps:
  - name: look
    command: ["true"]
"""


def new_job(page: Page, platform: Platform, name: str) -> None:
    platform.publish(TAKES_ALL.format(name=name))
    sign_in(page, platform, "/jobs/new/")
    page.get_by_text(f"Look at {name}").click()
    page.get_by_label("Album").fill("Ana")


def jobs(platform: Platform, name: str) -> list[tuple[object, ...]]:
    return platform.sql(
        "SELECT j.name, count(i.id) FROM orchestration_job j JOIN orchestration_pipelineversion v "
        "ON v.id = j.pipeline_version_id JOIN orchestration_pipeline p ON p.id = v.pipeline_id "
        "LEFT JOIN orchestration_jobinput i ON i.job_id = j.id WHERE p.name = %s GROUP BY j.id, j.name",
        name,
    )


def test_job_starts_by_itself_when_its_files_are_there(page: Page, platform: Platform, tmp_path: Path) -> None:
    make_file(tmp_path / "input.bin", 64 * MIB, seed=20)
    new_job(page, platform, "starts-itself")
    network(page, PACE)
    page.set_input_files("#file-input", str(tmp_path / "input.bin"))
    page.get_by_role("button", name="Start when uploaded").click()
    expect(page.locator("#armed")).to_contain_text("The job starts by itself when all files are sent.")
    expect(page.locator("#armed")).to_contain_text("Keep this page open")
    # It can be taken back, and the form goes on being filled in meanwhile.
    page.get_by_role("button", name="Do not start it by itself").click()
    expect(page.locator("#armed")).to_be_hidden()
    page.get_by_label("Name of the job").fill("March")
    page.get_by_role("button", name="Start when uploaded").click()
    assert jobs(platform, "starts-itself") == []
    network(page)
    page.wait_for_url("**/jobs/*-*/", timeout=PATIENCE_MS)
    assert jobs(platform, "starts-itself") == [("March", 1)]


def test_job_waits_for_a_file_that_failed_and_says_which(page: Page, platform: Platform, tmp_path: Path) -> None:
    make_file(tmp_path / "good.bin", 32 * MIB, seed=21)
    (tmp_path / "locked.txt").write_text("x" * 100)
    new_job(page, platform, "waits-for-file")
    page.route(
        "**/uploads:batch", lambda route: route.fulfill(status=403, json={"detail": "No room.", "code": "quota"})
    )
    network(page, PACE)
    page.set_input_files("#file-input", [str(tmp_path / "good.bin"), str(tmp_path / "locked.txt")])
    page.get_by_role("button", name="Start when uploaded").click()
    network(page)
    expect(page.locator("#armed")).to_contain_text("The job waits: locked.txt could not be sent.", timeout=PATIENCE_MS)
    expect(page.locator("#picks .error", has_text="No room.")).to_be_visible()
    expect(page.locator("#picks li", has_text="good.bin")).to_contain_text("sent", timeout=PATIENCE_MS)
    assert jobs(platform, "waits-for-file") == []
    page.unroute("**/uploads:batch")
    page.get_by_role("button", name="Send again locked.txt").click()
    page.wait_for_url("**/jobs/*-*/", timeout=PATIENCE_MS)
    assert jobs(platform, "waits-for-file") == [("", 2)]


def test_job_submitted_the_moment_its_file_is_there_has_that_file(
    page: Page, platform: Platform, tmp_path: Path
) -> None:
    """The page draws a few times a second: what is there counts, not what is drawn."""
    (tmp_path / "last.txt").write_text("here")
    new_job(page, platform, "in-between")
    page.evaluate(
        """async () => {
            const { panel } = await import("/static/frontend_app/upload/main.js");
            const { changed } = panel.queue;
            const press = (item) => { if (item.state === "done") document.getElementById("submit").click(); };
            panel.queue.changed = (item) => { changed(item); press(item); };
        }"""
    )
    held: list[Route] = []
    page.route("**/uploads:batch", lambda route: held.append(route))  # noqa: PLW0108  it asks for the signature
    page.set_input_files("#file-input", str(tmp_path / "last.txt"))
    expect(page.get_by_role("button", name="Start when uploaded")).to_be_enabled()
    wait_until(lambda: held, "sending", page=page)
    held.pop().continue_()
    page.wait_for_url("**/jobs/*-*/", timeout=20_000)
    assert jobs(platform, "in-between") == [("", 1)]


def test_form_that_does_not_fit_is_said_before_anything_waits(page: Page, platform: Platform, tmp_path: Path) -> None:
    make_file(tmp_path / "early.bin", 32 * MIB, seed=22)
    new_job(page, platform, "fits-first")
    page.get_by_label("Album").fill("")
    network(page, PACE)
    page.set_input_files("#file-input", str(tmp_path / "early.bin"))
    page.get_by_role("button", name="Start when uploaded").click()
    expect(page.get_by_label("Album")).to_be_focused()
    expect(page.locator("#armed")).to_be_hidden()


def opened_by_enter(page: Page, button: str) -> FileChooser:
    """On a busy machine the first press may come before the page's scripts listen."""
    for _ in range(3):
        page.locator(button).focus()
        try:
            with page.expect_file_chooser(timeout=10_000) as chooser:
                page.keyboard.press("Enter")
        except PlaywrightTimeout:
            continue
        return chooser.value
    raise AssertionError(f"Enter on {button} opens nothing")


def test_everything_works_by_keyboard(page: Page, platform: Platform, tmp_path: Path) -> None:
    names = [f"{n}.bin" for n in range(30)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    make_file(tmp_path / "long.bin", 64 * MIB, seed=23)
    # The dialog that gives handles cannot be driven by a test; without it the page falls back to the plain one.
    page.evaluate("() => { window.showOpenFilePicker = undefined; }")
    network(page, PACE // 16)
    chooser = opened_by_enter(page, "#pick-files")
    chooser.set_files([str(tmp_path / "long.bin"), *(str(tmp_path / name) for name in names)])
    wait_for_percent(page, 1)
    page.locator("#pick-folder").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_focused()
    # Past "Remove all" into the list: one stop for the Tab key, the arrows for the rest.
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.locator("#picks li:focus")).to_contain_text("long.bin")
    page.keyboard.press("End")
    expect(page.locator("#picks li:focus")).to_contain_text("29.bin")
    assert page.locator("#picks li:focus").get_attribute("aria-posinset") == "31"
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Pause long.bin")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#picks li", has_text="long.bin")).to_contain_text("paused")
    expect(page.locator("#picks li:focus")).to_contain_text("long.bin")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # goes on
    network(page)
    expect_all_sent(page, 31)


def test_screen_reader_hears_quarters_and_the_end(page: Page, platform: Platform, tmp_path: Path) -> None:
    make_file(tmp_path / "heard.bin", 96 * MIB, seed=24)
    page.evaluate(
        "() => { window.heard = []; const said = document.getElementById('said');"
        " new MutationObserver(() => window.heard.push(said.textContent)).observe(said, { childList: true }); }"
    )
    network(page, 2 * PACE)
    page.set_input_files("#file-input", str(tmp_path / "heard.bin"))
    expect_all_sent(page, 1)
    expect(page.locator("#said")).to_have_text("All files are sent.")
    heard = page.evaluate("window.heard")
    assert heard[0] == "1 file added."
    assert set(heard[1:-1]) <= {"25 percent sent.", "50 percent sent.", "75 percent sent."}
    assert len(heard) <= 5
    assert page.locator("#said").get_attribute("role") == "status"
