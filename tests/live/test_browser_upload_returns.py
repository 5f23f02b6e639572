"""Coming back to an upload: from another browser, after a reload, after another sign-in; or giving up."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from orchestration import crc64
from tests.live.browsing import (
    MIB,
    PART,
    PATIENCE_MS,
    Puts,
    expect_all_sent,
    make_file,
    network,
    open_uploads,
    sign_in,
    stored,
    unfinished,
    wait_for_percent,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

BEGIN = """
  async ([wanted, crc64nvme]) => {
    const { dataset } = document.querySelector("[data-ticket]");
    const headers = { "Authorization": `Ticket ${dataset.ticket}`, "Content-Type": "application/json" };
    const ask = async (path, body) => {
      const request = { method: "POST", headers, body: JSON.stringify(body) };
      return (await fetch(`/api/v1/uploads${path}`, request)).json();
    };
    const upload = await ask("", wanted);
    const { parts: [part] } = await ask(`/${upload.id}/parts`, { parts: [{ number: 1, crc64nvme }] });
    await fetch(part.url, { method: "PUT", headers: part.headers, body: "old" });
    return (await fetch(`/api/v1/uploads/${upload.id}`, { headers })).json();
  }
"""
PACE = 24 * MIB


def test_another_browser_goes_on_and_another_file_is_refused(
    chrome: Browser, page: Page, platform: Platform, tmp_path: Path
) -> None:
    file = tmp_path / "shared.bin"
    sha256 = make_file(file, 96 * MIB, seed=10)
    network(page, PACE)
    page.set_input_files("#file-input", str(file))
    wait_for_percent(page, 80)  # more than the parts that are on their way together
    page.close(run_before_unload=False)

    page = chrome.new_page()  # with cookies of its own, as another browser or machine
    puts = Puts(page.context)
    sign_in(page, platform)
    row = unfinished(page, "shared.bin")
    expect(row).to_contain_text("of 96.0 MiB arrived, begun just now", timeout=PATIENCE_MS)
    (tmp_path / "other").mkdir()
    make_file(tmp_path / "other" / "shared.bin", 90 * MIB, seed=11)
    with page.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose the file again").click()
    chooser.value.set_files(str(tmp_path / "other" / "shared.bin"))
    expect(row).to_contain_text("shared.bin is another file")
    # Chosen above like any other file, it goes on too.
    page.set_input_files("#file-input", str(file))
    expect_all_sent(page, 1)
    assert stored(platform, "shared.bin")["sha256"] == sha256
    assert len(puts.parts) < 96 * MIB // PART
    expect(unfinished(page, "shared.bin")).to_have_count(0)
    page.close()


def test_upload_is_given_up_after_a_question(page: Page, platform: Platform, tmp_path: Path) -> None:
    make_file(tmp_path / "unwanted.bin", 64 * MIB, seed=12)
    network(page, PACE)
    page.set_input_files("#file-input", str(tmp_path / "unwanted.bin"))
    wait_for_percent(page, 30)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.get_by_role("button", name="Give up: unwanted.bin").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("What has arrived of it is deleted.")
    dialog.get_by_role("button", name="Go back").click()
    expect(unfinished(page, "unwanted.bin")).to_have_count(1)
    page.get_by_role("button", name="Give up: unwanted.bin").click()
    dialog.get_by_role("button", name="Give up").click()
    expect(unfinished(page, "unwanted.bin")).to_have_count(0)
    wait_until(lambda: open_uploads(page, "unwanted.bin") == [], "the end of the upload", page=page)


def test_leaving_the_page_while_it_sends_is_asked_first(page: Page, platform: Platform, tmp_path: Path) -> None:
    make_file(tmp_path / "leaving.bin", 48 * MIB, seed=13)
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    network(page, PACE // 8)
    page.set_input_files("#file-input", str(tmp_path / "leaving.bin"))
    wait_for_percent(page, 1)
    page.locator("#upload strong").click()  # browsers ask only people who have touched the page
    page.goto(f"{platform.url}/jobs/")
    assert asked == ["beforeunload"]
    sign_in(page, platform)
    page.get_by_role("button", name="Give up: leaving.bin").click()
    page.get_by_role("dialog").get_by_role("button", name="Give up").click()
    expect(unfinished(page, "leaving.bin")).to_have_count(0)


def test_upload_waits_for_somebody_to_sign_in_again(page: Page, platform: Platform, tmp_path: Path) -> None:
    sha256 = make_file(tmp_path / "night.bin", 96 * MIB, seed=14)
    network(page, PACE)
    page.set_input_files("#file-input", str(tmp_path / "night.bin"))
    wait_for_percent(page, 20)
    page.context.clear_cookies()
    page.evaluate(
        "async () => { const { panel } = await import('/static/frontend_app/upload/main.js');"
        " panel.queue.api.ticket = 'old'; }"
    )
    expect(page.locator("#trouble")).to_contain_text("You have been signed out.", timeout=PATIENCE_MS)
    network(page)
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Sign in").click()
    sign_in(popup.value, platform)
    expect_all_sent(page, 1)
    assert stored(platform, "night.bin")["sha256"] == sha256


HANDLE = """async () => {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle('kept.bin', { create: true });
  const out = await handle.createWritable();
  await out.write(new Blob(Array.from({ length: 64 }, (_, at) => new Uint8Array(1 << 20).fill(at))));
  await out.close();
  window.showOpenFilePicker = async () => [handle];
}"""


def test_browser_that_keeps_handles_needs_no_second_choice_after_a_reload(page: Page, platform: Platform) -> None:
    page.evaluate(HANDLE)
    network(page, PACE)
    page.get_by_role("button", name="Choose files").click()
    wait_for_percent(page, 30)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    network(page)
    page.get_by_role("button", name="Go on: kept.bin").click()
    expect_all_sent(page, 1)
    whole = b"".join(bytes([n]) * MIB for n in range(64))
    assert stored(platform, "kept.bin")["sha256"] == hashlib.sha256(whole).hexdigest()
    expect(unfinished(page, "kept.bin")).to_have_count(0)


def test_other_content_under_the_same_name_and_date_is_found_out(
    page: Page, platform: Platform, tmp_path: Path
) -> None:
    """What arrived before is read again, so no file is ever made of two."""
    file = tmp_path / "twice.bin"
    make_file(file, 112 * MIB, seed=15)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    network(page, PACE)
    page.set_input_files("#file-input", str(file))
    wait_for_percent(page, 70)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    sha256 = make_file(file, 112 * MIB, seed=16)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    network(page)
    page.set_input_files("#file-input", str(file))
    expect(page.locator("#picks li .error")).to_contain_text("Its content is not what the part", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Send again twice.bin").click()
    expect_all_sent(page, 1)
    assert stored(platform, "twice.bin")["sha256"] == sha256


def test_small_file_that_was_sent_without_a_checksum_of_the_whole_is_sent_again(
    page: Page, platform: Platform, tmp_path: Path
) -> None:
    """Its bytes may be others: only its name, size and date are the same."""
    file = tmp_path / "small.txt"
    file.write_bytes(b"new")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    wanted = {"name": file.name, "size": 3, "fingerprint": "small.txt|3|1700000000000|"}
    begun = page.evaluate(BEGIN, [wanted, crc64.to_text(crc64.update(b"old"))])
    assert begun["received"] == "1"
    page.set_input_files("#file-input", str(file))
    expect_all_sent(page, 1)
    assert stored(platform, file.name)["sha256"] == hashlib.sha256(b"new").hexdigest()
