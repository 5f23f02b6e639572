"""What the page does with each answer that a part can get, ours and an object storage's (docs/design/0003, 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.live.browsing import MIB, PATIENCE_MS, Puts, expect_all_sent, make_file, open_uploads, stored, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PARTS = "**/uploads/*/parts/*"
XML = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"


def first(page: Page, answers: list[Callable[[Route], None]]) -> None:
    """The first PUTs get these answers; all others are let through."""
    left = list(answers)

    def answer(route: Route) -> None:
        if left:
            left.pop(0)(route)
        else:
            route.continue_()

    page.route(PARTS, answer)


def said(status: int, code: str = "", detail: str = "No.") -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json={"status": status, "code": code, "detail": detail})


def xml(status: int, code: str, message: str = "") -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, body=XML.format(code, message), content_type="application/xml")


def send(page: Page, folder: Path, name: str, size: int = 20 * MIB) -> str:
    sha256 = make_file(folder / name, size, seed=len(name))
    page.set_input_files("#file-input", str(folder / name))
    return sha256


ANSWERS = {
    "expired": said(403, "signature_expired"),
    "damaged": said(400, "checksum_mismatch"),
    "busy": said(409, "part_busy"),
    "too-many": said(429),
    "unavailable": said(503),
    "full": said(507, "storage_full"),
    "cut": lambda route: route.abort(),
    "unknown": said(404, "not_found"),
    "gone": said(410, "upload_expired"),
    "there-already-but-is-not": said(412),
    "expired-on-s3": xml(403, "AccessDenied", "Request has expired"),
    "damaged-on-s3": xml(400, "BadDigest"),
    "slow-down-on-s3": xml(503, "SlowDown"),
}
LARGE, SMALL = 20 * MIB, 4_000
# Parts and small files are sent by the same piece; what differs is what is done with an upload that has ended.
SMALL_TOO = ("damaged", "cut", "gone", "there-already-but-is-not")


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        *(pytest.param(answer, LARGE, id=f"large-{name}") for name, answer in ANSWERS.items()),
        *(pytest.param(ANSWERS[name], SMALL, id=f"small-{name}") for name in SMALL_TOO),
    ],
)
def test_answer_that_can_be_mended_is(
    page: Page, platform: Platform, tmp_path: Path, answer: Callable[[Route], None], size: int
) -> None:
    name = f"{tmp_path.name}.bin"
    first(page, [answer])
    sha256 = send(page, tmp_path, name, size)
    expect_all_sent(page, 1)
    assert stored(platform, name)["sha256"] == sha256
    assert open_uploads(page, name) == []


def test_file_that_another_window_sends_too_is_waited_for_and_said(page: Page, tmp_path: Path) -> None:
    page.route(PARTS, said(409, "part_busy"))
    send(page, tmp_path, "twice.bin")
    expect(page.locator("#trouble")).to_contain_text(
        "Another window or program is sending the same file.", timeout=PATIENCE_MS
    )
    page.unroute(PARTS)
    expect_all_sent(page, 1)


def test_file_that_is_damaged_each_time_is_given_up_with_a_reason(page: Page, tmp_path: Path) -> None:
    page.route(PARTS, said(400, "checksum_mismatch"))
    puts = Puts(page.context)
    send(page, tmp_path, "flaky.bin", 4_000)
    expect(page.locator("#picks li .error")).to_contain_text(
        "Its content changed while it was sent.", timeout=PATIENCE_MS
    )
    assert puts.parts.total() == 3


def test_refusal_is_said_in_the_servers_words_and_can_be_tried_again(page: Page, tmp_path: Path) -> None:
    page.route(PARTS, said(403, "signature_invalid", "This signature is not ours."))
    send(page, tmp_path, "refused.bin")
    expect(page.locator("#picks li .error")).to_have_text("Not sent. This signature is not ours.", timeout=PATIENCE_MS)
    page.unroute(PARTS)
    page.get_by_role("button", name="Send again refused.bin").click()
    expect_all_sent(page, 1)


def test_upload_that_was_given_up_elsewhere_says_so_and_begins_anew(page: Page, tmp_path: Path) -> None:
    held: list[Any] = []
    first(page, [held.append] * 2)
    send(page, tmp_path, "elsewhere.bin")
    wait_until(lambda: held, "the first part", page=page)
    page.evaluate(
        "async () => { const { panel } = await import('/static/frontend_app/upload/main.js');"
        " await panel.queue.api.call('DELETE', `/${panel.queue.items[0].upload.id}`); }"
    )
    for route in held:
        route.continue_()
    expect(page.locator("#picks li .error")).to_contain_text("given up in another window", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Send again elsewhere.bin").click()
    expect_all_sent(page, 1)


def test_connection_that_died_in_its_sleep_is_replaced(page: Page, platform: Platform, tmp_path: Path) -> None:
    """A laptop that wakes up finds connections that neither answer nor end."""
    page.clock.install()
    page.goto(f"{platform.url}/files/")
    held: list[Any] = []
    first(page, [held.append, held.append])
    sha256 = send(page, tmp_path, "asleep.bin")
    wait_until(lambda: len(held) == 2, "both parts on their way", page=page)
    page.clock.fast_forward("10:00")
    expect_all_sent(page, 1)
    assert stored(platform, "asleep.bin")["sha256"] == sha256


def test_somebody_else_who_signed_in_sends_nothing_of_mine(page: Page, tmp_path: Path) -> None:
    page.route("**/upload-ticket?*", lambda route: route.fulfill(json={"ticket": "theirs", "user": "eva"}))
    page.evaluate(
        "async () => { const { panel } = await import('/static/frontend_app/upload/main.js');"
        " panel.queue.api.ticket = 'old'; }"
    )
    (tmp_path / "mine.txt").write_text("mine")
    page.set_input_files("#file-input", str(tmp_path / "mine.txt"))
    expect(page.locator("#trouble")).to_contain_text("You are signed in as eva now", timeout=PATIENCE_MS)
    page.unroute("**/upload-ticket?*")
    expect_all_sent(page, 1)
