"""A file that is sent by a browser although the tab, the browser or the server is killed on the way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from playwright.sync_api import Error, expect

from tests.live.browsing import (
    FLAGS,
    PART,
    PATIENCE_MS,
    Puts,
    chromium,
    expect_all_sent,
    kill_browser,
    make_file,
    network,
    sign_in,
    stored,
    unfinished,
    wait_for_percent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Playwright

    from tests.live.platform import Platform


def profile_of(tools: Playwright, folder: Path) -> BrowserContext:
    return tools.chromium.launch_persistent_context(str(folder), executable_path=chromium(), args=FLAGS)


def sent_over_a_kill(tools: Playwright, platform: Platform, tmp_path: Path, size: int, what: str) -> Puts:
    """Of `what` at 60 %: the file arrives, equal by its SHA-256. What was sent for it, some parts perhaps twice."""
    file = tmp_path / f"kill-{what}.bin"
    sha256 = make_file(file, size, seed=len(what))
    profile = tmp_path / "profile"
    context = profile_of(tools, profile)
    puts = Puts(context)
    page = context.new_page()
    sign_in(page, platform)
    network(page, size // 9)
    page.set_input_files("#file-input", str(file))
    wait_for_percent(page, 60)
    if what == "server":
        platform.kill("web")
        network(page)
    else:
        if what == "tab":
            page.close(run_before_unload=False)
            context.close()
        else:
            kill_browser(profile)
            with contextlib.suppress(Error):
                context.close()
        context = profile_of(tools, profile)
        puts.add(context)
        page = context.new_page()
        sign_in(page, platform)
        row = unfinished(page, file.name)
        expect(row).to_contain_text(file.name, timeout=PATIENCE_MS)
        with page.expect_file_chooser() as chooser:
            row.get_by_role("button", name="Choose the file again").click()
        chooser.value.set_files(str(file))
    expect_all_sent(page, 1)
    assert stored(platform, file.name)["sha256"] == sha256
    assert set(puts.parts) == set(range(1, -(-size // PART) + 1))
    expect(unfinished(page, file.name)).to_have_count(0)
    context.close()
    return puts
