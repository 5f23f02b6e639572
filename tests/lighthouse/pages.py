"""The main pages by Lighthouse, on a desk and on a phone; the median of some loads of each."""

from __future__ import annotations

import argparse
import sys
from statistics import median_low
from typing import TYPE_CHECKING, Final

from tests.clients.node import Absent
from tests.lighthouse.browser import enter, opened
from tests.lighthouse.program import CATEGORIES, faults, install, report, scores
from tests.live.walk import inside, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

LEAST: Final = 95
PAGES: Final = ("home", "job-new", "jobs", "job-succeeded", "files", "pipelines", "settings", "audit")
OUTSIDE: Final = "login"
DEVICES: Final[dict[str, list[str]]] = {"desk": ["--preset=desktop"], "phone": []}


def measure() -> int:
    parser = argparse.ArgumentParser(prog="make lighthouse", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="loads of each page; their median counts")
    parser.add_argument("--only", action="append", choices=[OUTSIDE, *PAGES], help="this page; may be repeated")
    asked = parser.parse_args()
    try:
        install()
    except Absent as why:
        print(f"Not measured: {why}")
        return 2
    wanted = asked.only or [OUTSIDE, *PAGES]
    print(f"| page | on | {' | '.join(CATEGORIES)} |\n|---|---|{'---|' * len(CATEGORIES)}", flush=True)
    with shown() as platform, opened() as port:
        poor = [name for name, least in _measured(platform, port, wanted, asked.runs) if least < LEAST]
    print(f"\nBelow {LEAST}: {', '.join(poor)}" if poor else f"\nAll have {LEAST} or more.")
    return 1 if poor else 0


def _measured(platform: Platform, port: int, wanted: list[str], runs: int) -> Iterator[tuple[str, int]]:
    """Page and device, and the poorest of its medians; a line is printed of each."""
    paths = inside(platform) | {OUTSIDE: "/login/"}
    for name in sorted(wanted, key=lambda one: one != OUTSIDE):
        if name != OUTSIDE:
            enter(port, platform)
        for device, options in DEVICES.items():
            made = [report(f"{platform.url}{paths[name]}", port, options) for _ in range(runs)]
            medians = [median_low(values) for values in zip(*map(scores, made), strict=True)]
            print(f"| {name} | {device} | {' | '.join(map(str, medians))} |", flush=True)
            poorest = min(made, key=lambda one: min(scores(one)))
            print(f"  {'; '.join(faults(poorest))}", file=sys.stderr, flush=True)
            yield f"{name} ({device})", min(medians)
