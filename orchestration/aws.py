"""How every client of AWS behaves: its timeouts and tries are ours, whatever the environment says."""

from __future__ import annotations

from typing import Any

from botocore.config import Config


def pinned(*, connect_s: float, read_s: float, attempts: int, **options: Any) -> Config:
    """`attempts` counts the first one too."""
    return Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        # Standard mode has a budget for retries, so that an outage is not answered by a storm.
        retries={"mode": "standard", "total_max_attempts": attempts},
        **options,
    )
