"""Lighthouse itself, fetched once from npm to `build/lighthouse`; Node comes with the development packages."""

from __future__ import annotations

import json
from contextlib import suppress
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Any, Final

from tests.clients.node import NODE, NPM, OUR_FAULT, ROOT, Absent, environment, run

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = "13.5.0"
HOME: Final = ROOT / "build" / "lighthouse"
PACKAGE: Final = HOME / "node_modules" / "lighthouse"
CATEGORIES: Final = ("performance", "accessibility", "best-practices")
LONGEST_S: Final = 240
TRIES: Final = 3
"""On a busy machine it misses the beginning of a load now and then, and says so."""


def install() -> None:
    """Raises Absent where npm cannot give it."""
    if PACKAGE.is_dir() and json.loads((PACKAGE / "package.json").read_text())["version"] == VERSION:
        return
    HOME.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=60000"]
    wanted = [str(NODE), str(NPM), "install", "--prefix", str(HOME), *quiet, f"lighthouse@{VERSION}"]
    done = run(wanted, cwd=HOME, env=environment(), timeout_s=500)
    if OUR_FAULT.search(done.stderr):
        raise RuntimeError(done.stderr)
    if done.returncode != 0:
        raise Absent(f"npm could not give lighthouse {VERSION} here.")


def report(url: str, port: int, options: Sequence[str]) -> dict[str, Any]:
    """Of one load of that page in the browser that listens on `port`."""
    for _ in range(TRIES - 1):
        with suppress(RuntimeError, TimeoutExpired):
            return _report(url, port, options)
    return _report(url, port, options)


def _report(url: str, port: int, options: Sequence[str]) -> dict[str, Any]:
    kept = HOME / "last.json"
    kept.unlink(missing_ok=True)
    asked = [f"--port={port}", f"--only-categories={','.join(CATEGORIES)}", "--output=json", f"--output-path={kept}"]
    program = [str(NODE), str(PACKAGE / "cli" / "index.js"), url, "--quiet", *asked, *options]
    done = run(program, cwd=HOME, env=environment(), timeout_s=LONGEST_S)
    if done.returncode != 0 or not kept.exists():
        raise RuntimeError(f"Lighthouse did not measure {url}:\n{done.stderr[-2000:]}")
    made: dict[str, Any] = json.loads(kept.read_text())
    if made["finalDisplayedUrl"] != url:
        raise RuntimeError(f"{url} led to {made['finalDisplayedUrl']}")
    if any(made["categories"][name]["score"] is None for name in CATEGORIES):
        raise RuntimeError(f"Lighthouse could not judge {url}: {made.get('runWarnings')}")
    return made


def scores(made: dict[str, Any]) -> tuple[int, ...]:
    """In the order of CATEGORIES, of 100."""
    return tuple(round(100 * made["categories"][name]["score"]) for name in CATEGORIES)


def faults(made: dict[str, Any]) -> list[str]:
    """The audits that cost points, the dearest first."""
    lost: dict[str, float] = {}
    for category in made["categories"].values():
        for ref in category["auditRefs"]:
            score = made["audits"][ref["id"]]["score"]
            if ref["weight"] and score is not None and score < 1:
                lost[ref["id"]] = ref["weight"] * (1 - score)
    return [f"{name} ({_said(made, name)})" for name in sorted(lost, key=lambda one: -lost[one])]


def _said(made: dict[str, Any], audit: str) -> str:
    said: str = made["audits"][audit].get("displayValue") or made["audits"][audit]["title"]
    return said.replace("\u00a0", " ")
