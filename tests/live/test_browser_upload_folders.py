"""Thousands of files at once: all arrive, in their folders, and the page stays quick."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.live.browsing import PATIENCE_MS, drop, expect_all_sent, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

QUICK_MS = 100
MOST_ROWS = 60


def make_folder(root: Path, files: int) -> set[tuple[str, str]]:
    """Folder and name of each, as they are to arrive."""
    made = set()
    for number in range(files):
        folder = root / f"year {2000 + number % 25}" / f"é{number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"n{number}.txt").write_text(f"file {number}\n")
        made.add((folder.relative_to(root.parent).as_posix(), f"n{number}.txt"))
    return made


def arrived(platform: Platform, root: str) -> set[tuple[str, str]]:
    rows = platform.sql(
        "SELECT u.path, f.name FROM orchestration_file f JOIN orchestration_upload u ON u.id = f.upload_id "
        "WHERE u.path LIKE %s",
        f"{root}%",
    )
    return {(str(path), str(name)) for path, name in rows}


def longest_task_ms(trace: bytes) -> float:
    """Of the page's own thread, in time of the processor: what a busy machine adds is not the page's doing."""
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    main = {
        (e["pid"], e["tid"]) for e in events if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    tasks: list[float] = [
        e["tdur"] for e in events if e["name"].endswith("RunTask") and (e["pid"], e["tid"]) in main and "tdur" in e
    ]
    assert len(tasks) > 1_000, "the trace says nothing of the page's work"
    return max(tasks) / 1_000


def wait_long(check: Callable[[], bool], page: Page, seconds: int) -> None:
    for _ in range(-(-seconds // 100)):
        try:
            wait_until(check, "the arrival of all files", page=page)
        except AssertionError:
            continue
        return
    raise AssertionError(page.locator("#total-text").inner_text())


def test_dropped_folder_arrives_whole_and_the_page_stays_quick(
    page: Page, platform: Platform, tmp_path: Path, campaign: str
) -> None:
    files = 10_000 if campaign == "full" else 600
    made = make_folder(tmp_path / "dropped", files)
    browser = page.context.browser
    assert browser
    browser.start_tracing(page=page, categories=["toplevel"])
    drop(page, tmp_path / "dropped")
    expect(page.locator("#total-text")).to_contain_text(f"of {files:,} files", timeout=PATIENCE_MS)
    assert page.locator("#picks li").count() <= MOST_ROWS
    page.locator("#picks").evaluate("list => { list.scrollTop = list.scrollHeight / 2; }")
    wait_long(lambda: f"{files:,} of {files:,}" in page.locator("#total-text").inner_text(), page, files // 5)
    longest = longest_task_ms(browser.stop_tracing())
    print(f"the page's longest task: {longest:.0f} ms")
    if campaign == "full":
        assert longest < QUICK_MS
    assert page.locator("#picks li").count() <= MOST_ROWS
    assert arrived(platform, "dropped") == made


def boxes(page: Page) -> list[list[int]]:
    """Where each row begins and ends, from the top of the first one."""
    found: list[list[int]] = page.evaluate(
        "() => { const all = [...document.querySelectorAll('#picks li')].map((row) => row.getBoundingClientRect());"
        " return all.map((box) => [box.top, box.bottom].map((edge) => Math.round(edge - all[0].top))); }"
    )
    return found


def test_chosen_folder_keeps_its_structure(page: Page, platform: Platform, tmp_path: Path) -> None:
    made = make_folder(tmp_path / "chosen", 40)
    page.set_input_files("#folder-input", str(tmp_path / "chosen"))
    expect_all_sent(page, 40)
    assert arrived(platform, "chosen") == made
    expect(page.get_by_role("link", name="Show them in the list")).to_be_visible()
    shown = page.locator("#picks li .pick-note bdi").all_inner_texts()
    assert shown == sorted(shown)


@pytest.mark.parametrize("fails", [True, False], ids=["request-fails", "request-arrives"])
def test_small_files_share_a_request_and_go_alone_where_that_fails(
    page: Page, platform: Platform, tmp_path: Path, *, fails: bool
) -> None:
    alone: list[str] = []
    page.on("request", lambda request: alone.append(request.url) if request.method == "PUT" else None)
    if fails:
        page.route("**/uploads:put", lambda route: route.abort())
    made = make_folder(tmp_path / "shared", 30)
    page.set_input_files("#folder-input", str(tmp_path / "shared"))
    expect_all_sent(page, 30)
    assert arrived(platform, "shared") == made
    assert (len(alone) > 20) if fails else (len(alone) < 5)


def test_rows_keep_their_place_when_their_files_are_sent(page: Page, tmp_path: Path) -> None:
    names = [tmp_path / f"{n}.txt" for n in range(4)]
    for path in names:
        path.write_text(path.name)
    page.route("**/uploads:batch", lambda route: route.abort())
    page.set_input_files("#file-input", [str(path) for path in names])
    expect(page.locator("#picks li").last).to_contain_text("waits")
    before = boxes(page)
    assert all(0 <= top - bottom <= 1 for (_, bottom), (top, _) in pairwise(before))
    page.unroute("**/uploads:batch")
    expect_all_sent(page, 4)
    assert boxes(page) == before


def test_file_that_the_server_refuses_is_said_and_holds_nobody_up(
    page: Page, platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad\u202etxt.exe").write_text("bad")
    page.set_input_files("#file-input", [str(path) for path in tmp_path.iterdir()])
    expect(page.locator("#total-text")).to_contain_text("1 of 2 files sent", timeout=PATIENCE_MS)
    expect(page.locator("#picks li .error", has_text="Not sent.")).to_contain_text("control characters")
    page.get_by_role("button", name="Only the failed ones").click()
    expect(page.locator("#picks li")).to_have_count(1)


def test_same_file_twice_is_sent_once(page: Page, tmp_path: Path) -> None:
    names = [tmp_path / f"{n}.txt" for n in range(3)]
    for path in names:
        path.write_text(path.name)
    page.route("**/uploads:batch", lambda route: route.abort())
    page.set_input_files("#file-input", [str(path) for path in names])
    page.set_input_files("#file-input", [str(path) for path in names[:2]])
    expect(page.locator("#said")).to_contain_text("2 files were in the list already.")
    expect(page.locator("#picks li")).to_have_count(3)
    expect(page.locator("#trouble")).to_contain_text("The server does not answer.")
    page.unroute("**/uploads:batch")
    expect_all_sent(page, 3)


def test_empty_file_is_sent_too(page: Page, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "nothing.dat").touch()
    page.set_input_files("#file-input", str(tmp_path / "nothing.dat"))
    expect_all_sent(page, 1)
    assert platform.sql("SELECT size FROM orchestration_file WHERE name = %s", "nothing.dat") == [(0,)]
