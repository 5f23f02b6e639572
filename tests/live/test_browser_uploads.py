"""Uploads of a real browser, and what comes between: closed tabs, crashes, dead networks, changed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.live.browsing import (
    LANES,
    MIB,
    PATIENCE_MS,
    Puts,
    drop,
    expect_all_sent,
    make_file,
    network,
    open_uploads,
    stored,
    wait_for_percent,
)
from tests.live.kills_of_browsers import sent_over_a_kill

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Playwright

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PACE = 24 * MIB


@pytest.mark.parametrize("what", ["tab", "browser", "server"])
def test_upload_goes_on_after_a_kill(
    tools: Playwright, platform: Platform, tmp_path: Path, campaign: str, what: str
) -> None:
    size = 5 << 30 if campaign == "full" else 128 * MIB
    puts = sent_over_a_kill(tools, platform, tmp_path, size, what)
    assert puts.repeated <= LANES


def test_pause_keeps_what_arrived_and_goes_on_from_there(page: Page, platform: Platform, tmp_path: Path) -> None:
    sha256 = make_file(tmp_path / "pause.bin", 160 * MIB, seed=3)
    puts = Puts(page.context)
    network(page, PACE)
    page.set_input_files("#file-input", str(tmp_path / "pause.bin"))
    wait_for_percent(page, 30)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#picks li")).to_contain_text("paused · ")
    expect(page.locator("#said")).to_contain_text("Paused. What has arrived is kept.")
    expect(page.locator("#total-text")).to_contain_text("paused")
    begun = puts.parts.total()
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_focused()
    assert len(open_uploads(page, "pause.bin")) == 1
    assert puts.parts.total() == begun
    network(page)
    page.get_by_role("button", name="Go on", exact=True).click()
    expect_all_sent(page, 1)
    assert stored(platform, "pause.bin")["sha256"] == sha256
    assert puts.repeated <= LANES


def test_one_file_can_rest_while_the_others_go_on(page: Page, platform: Platform, tmp_path: Path) -> None:
    for name in ("one.bin", "two.bin"):
        make_file(tmp_path / name, 48 * MIB, seed=len(name))
    network(page, PACE)
    page.set_input_files("#file-input", [str(tmp_path / "one.bin"), str(tmp_path / "two.bin")])
    page.get_by_role("button", name="Pause one.bin").click()
    network(page)
    expect(page.locator("#picks li", has_text="two.bin")).to_contain_text("sent · 48.0 MiB", timeout=PATIENCE_MS)
    expect(page.locator("#picks li", has_text="one.bin")).to_contain_text("paused")
    page.get_by_role("button", name="Go on one.bin").click()
    expect_all_sent(page, 2)


def test_dead_network_is_waited_for(page: Page, platform: Platform, tmp_path: Path) -> None:
    sha256 = make_file(tmp_path / "train.bin", 96 * MIB, seed=5)
    network(page, PACE)
    page.set_input_files("#file-input", str(tmp_path / "train.bin"))
    wait_for_percent(page, 20)
    network(page, PACE, is_down=True)
    expect(page.locator("#trouble")).to_contain_text("There is no network.", timeout=PATIENCE_MS)
    expect(page.locator("#picks li .error")).to_be_empty()
    for told in ("#total-text", "#picks li"):
        expect(page.locator(told)).not_to_contain_text("/s")
    network(page)
    expect_all_sent(page, 1)
    expect(page.locator("#trouble")).to_be_hidden()
    assert stored(platform, "train.bin")["sha256"] == sha256


def test_changed_file_is_said_and_sent_as_it_is_now(page: Page, platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "report.bin"
    make_file(file, 96 * MIB, seed=6)
    network(page, PACE)
    page.set_input_files("#file-input", str(file))
    wait_for_percent(page, 20)
    sha256 = make_file(file, 80 * MIB, seed=7)
    error = page.locator("#picks li .error")
    expect(error).to_contain_text("It was changed, moved or deleted after you chose it.", timeout=PATIENCE_MS)
    network(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose again report.bin").click()
    chooser.value.set_files(str(file))
    expect_all_sent(page, 1)
    assert stored(platform, "report.bin")["sha256"] == sha256
    assert open_uploads(page, "report.bin") == []


def test_changed_file_that_was_dropped_needs_no_second_choice(page: Page, platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "dropped.bin"
    make_file(file, 96 * MIB, seed=8)
    network(page, PACE)
    drop(page, file)
    wait_for_percent(page, 20)
    sha256 = make_file(file, 40 * MIB, seed=9)
    again = page.get_by_role("button", name="Send again dropped.bin")
    expect(again).to_be_visible(timeout=PATIENCE_MS)
    network(page)
    again.click()
    expect_all_sent(page, 1)
    assert stored(platform, "dropped.bin")["sha256"] == sha256
