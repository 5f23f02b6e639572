"""Every page of the product on one platform, and what a browser can be asked about the page it is on."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from axe_playwright_python.base import AXE_SCRIPT

from project.management.commands.shots import OUTSIDE, demo_jobs
from tests.live.bench_user import bench_user
from tests.live.browsing import PATIENCE_S
from tests.live.platform import environment, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page, Request, Response

    from tests.live.platform import Platform

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOURS: Final = ("color-contrast", "link-in-text-block")
"""What another theme can change."""
SHOWN_TWICE: Final = frozenset({"api-docs"})
"""`api-docs-one` is the same page with a call opened."""
CALM_LOOKS: Final = 4
LOOK_MS: Final = 50
PAGES: Final = "import json; from project.management.commands.shots import pages_now; print(json.dumps(pages_now()))"


OWN: Final = (
    "from orchestration.models import BulkOperation, User; "
    "BulkOperation.objects.update(created_by=User.objects.get(username='{}'))"
)


@contextmanager
def shown() -> Iterator[Platform]:
    """With a job of each kind, links, a webhook: what `manage.py shots` shows."""
    with running() as platform:
        file = platform.upload("penguins.csv", b"species,bill\nAdelie,39.1\nGentoo,46.1\n")["id"]
        platform.wait(platform.submit("tabular-profile", [file], key="shown")["id"])
        demo_jobs(platform.home, environment(platform.home, platform.url, platform.database_url))
        walker, _ = bench_user(platform)
        # A bulk operation is seen by whoever began it.
        platform.manage("shell", "-v", "0", "-c", OWN.format(walker))
        yield platform


def inside(platform: Platform) -> dict[str, str]:
    """Name to path, of those for people who have signed in."""
    said: dict[str, str] = json.loads(platform.manage("shell", "-v", "0", "-c", PAGES))
    return said


def outside(platform: Platform) -> dict[str, str]:
    """Those that anybody may open: what stands before the door, and what was shared."""
    links = {name: path for name, path in inside(platform).items() if name.startswith("link-")}
    return {"login": "/login/", **OUTSIDE, "docs": "/docs/api/", **links}


def once(pages: dict[str, str]) -> dict[str, str]:
    """Those `inside` that show something of their own: links look as they do `outside`."""
    return {name: path for name, path in pages.items() if name not in SHOWN_TWICE and not name.startswith("link-")}


def go(page: Page, url: str) -> Response | None:
    """Until nothing more comes: Playwright's own word for it waits for half a second of silence each time."""
    on_the_way: set[Request] = set()

    def begin(request: Request) -> None:
        on_the_way.add(request)

    def end(request: Request) -> None:
        on_the_way.discard(request)

    listeners: list[tuple[Any, Callable[[Request], None]]] = [
        ("request", begin),
        ("requestfinished", end),
        ("requestfailed", end),
    ]
    for event, listener in listeners:
        page.on(event, listener)
    answer = page.goto(url)
    deadline, calm = time.monotonic() + PATIENCE_S, 0
    while calm < CALM_LOOKS:
        assert time.monotonic() < deadline, f"{url} has no end: {[one.url for one in on_the_way]}"
        page.wait_for_timeout(LOOK_MS)
        calm = 0 if on_the_way else calm + 1
    for event, listener in listeners:
        page.remove_listener(event, listener)
    return answer


def axe(page: Page, *, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds here: rule, element and fault. Without `rules`: all that WCAG 2.2 AA asks."""
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(
        "async (only) => (await axe.run({ runOnly: only, resultTypes: ['violations'], iframes: false })).violations",
        only,
    )
    return [
        f"{rule['id']}: {node['target'][0]}: {' '.join(node['failureSummary'].split())}"
        for rule in found
        for node in rule["nodes"]
    ]
