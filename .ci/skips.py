# ruff: noqa: INP001  a script, no part of a package
"""Fails when a test was skipped for a reason that the list of allowed ones does not name."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def allowed_reasons(listing: Path) -> dict[str, str]:
    """Part of a skip's reason → why CI may go without that test."""
    lines = [line.strip() for line in listing.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split(" | ", maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {part.strip(): why.strip() for part, why in pairs}


def main() -> None:
    report, listing = map(Path, sys.argv[1:])
    allowed = allowed_reasons(listing)
    unexpected = []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  our own pytest wrote the file
        for skip in case.iter("skipped"):
            reason = skip.get("message", "")
            if skip.get("type") != "pytest.xfail" and not any(part in reason for part in allowed):
                unexpected.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    if unexpected:
        raise SystemExit(
            "\n".join([*unexpected, "These tests were skipped, and .ci/allowed-skips.txt names no such reason."])
        )


if __name__ == "__main__":
    main()
