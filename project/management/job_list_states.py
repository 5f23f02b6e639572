"""For `manage.py shots`: the list of jobs while something is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


def job_list_states(page: Page, base: str) -> Iterator[str]:
    """The name of each state while the page is in it. Nothing is changed."""
    page.goto(f"{base}/jobs/?q=state:ended")
    page.wait_for_timeout(400)
    for at in (0, 1):
        page.locator("#jobs tbody .mark input").nth(at).check()
    yield "jobs-chosen"
    page.goto(f"{base}/jobs/?q=state:ended+label:night")
    for name, button in (("jobs-save", "Save this filter"), ("jobs-columns", "Columns")):
        page.get_by_role("button", name=button).click()
        yield name
        page.keyboard.press("Escape")
    page.goto(f"{base}/jobs/")
    page.locator(".saved button").first.click()
    yield "jobs-saved"
