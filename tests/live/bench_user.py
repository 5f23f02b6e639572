"""Somebody who may see everything on a platform of the tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.live.platform import Platform


def bench_user(platform: Platform) -> tuple[str, str]:
    """Name and password of a person who may see everything here."""
    platform.manage(
        "shell",
        "-c",
        "from orchestration.models import User; User.objects.filter(username='bench').exists() or "
        "User.objects.create_superuser('bench', password='bench bench bench')",
    )
    return "bench", "bench bench bench"


def sign_in(platform: Platform) -> str:
    """The Cookie header of a signed-in browser, through the real sign-in page."""
    user, password = bench_user(platform)
    with httpx.Client(base_url=platform.url, follow_redirects=True, trust_env=False, timeout=60) as browser:
        page = browser.get("/login/")
        field = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert field, page.text
        form = {"login": user, "password": password, "csrfmiddlewaretoken": field[1]}
        browser.post(str(page.url), data=form, headers={"Origin": platform.url}).raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
