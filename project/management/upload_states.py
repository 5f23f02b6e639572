"""For `manage.py shots`: the upload part of a page in each of its states, held still for a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route

MIB: Final = 1 << 20
FULL: Final = {"title": "Forbidden", "status": 403, "code": "quota_exceeded"}
SENTENCE: Final = "The workspace has 1.2 GiB of room left. Delete files that are no longer needed, or ask for more."
ADD: Final = """async (files) => {
  const { panel } = await import('/static/frontend_app/upload/main.js');
  await panel.add((async function* () {
    for (const [name, path, bytes] of files) {
      yield { file: new File([new Uint8Array(bytes)], name, { lastModified: 1 }), path };
    }
  })());
}"""


def upload_states(page: Page, base: str) -> Iterator[str]:
    """The name of each state while the page is in it. What was begun is given up at the end."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{base}/files/")
    sent = 0

    def some(route: Route) -> None:
        nonlocal sent
        sent += 1
        if sent <= 3:  # noqa: PLR2004  the others never get an answer
            route.continue_()

    page.route("**/parts/*", some)
    page.evaluate(ADD, [["holiday film.mov", "", 40 * MIB], ["measurements 2026.parquet", "2026/raw", 20 * MIB]])
    page.wait_for_timeout(2_500)
    yield "upload-sending"
    page.click("#pause-all")
    page.wait_for_timeout(500)
    yield "upload-paused"
    page.click("#resume-all")
    page.route("**/api/v1/uploads", lambda route: route.fulfill(status=403, json=FULL | {"detail": SENTENCE}))
    page.evaluate(
        ADD, [["a name that is much longer than any column of this list.sav", "", 9 * MIB], ["b.zip", "", MIB]]
    )
    page.wait_for_timeout(1_500)
    yield "upload-failed"
    page.unroute("**/api/v1/uploads")
    page.reload()
    page.wait_for_timeout(1_000)
    yield "upload-unfinished"
    page.evaluate(ADD, [[f"scan-{n:05}.tif", f"archive/{2020 + n % 7}", 900 + n] for n in range(10_000)])
    page.wait_for_timeout(1_500)
    yield "upload-many"
    yield from _job(page, base)
    page.goto(f"{base}/files/")
    page.wait_for_timeout(1_000)
    page.click("#give-up-all")
    page.click("#confirm-yes")
    page.wait_for_timeout(1_000)
    page.unroute("**/parts/*")


def _job(page: Page, base: str) -> Iterator[str]:
    page.goto(f"{base}/jobs/new/")
    page.evaluate(ADD, [["holiday film.mov", "", 40 * MIB]])
    page.locator(".choice:not(:has(:disabled))").first.click()
    page.wait_for_timeout(1_000)
    page.click("#submit")
    page.wait_for_timeout(500)
    yield "upload-armed"
