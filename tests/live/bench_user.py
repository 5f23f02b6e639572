"""Somebody who may see everything on a platform of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
