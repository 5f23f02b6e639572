"""Sizes (`512MiB`) and durations (`15m`): text to whole bytes and seconds, and back without loss."""

from __future__ import annotations

import re

SIZES = {"TiB": 1024**4, "GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
DURATIONS = {"y": 365 * 86_400, "w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
SECONDS_PER_DAY = DURATIONS["d"]

# [0-9] and \Z: \d takes the digits of every script, and $ lets a line break through.
_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB|TiB)?\Z")
_DURATION = re.compile(r"([0-9]{1,9})([smhdwy])\Z")


def parse_size(value: str | float) -> int:
    """Bytes. A number without a unit is bytes already."""
    if not isinstance(value, str):
        if isinstance(value, bool) or value < 0 or value != int(value):
            raise ValueError(f"{value} is not a size; write for example 512MiB or 5GiB")
        return int(value)
    match = _SIZE.match(value)
    if match is None:
        raise ValueError(f'"{value}" is not a size; write for example 512MiB or 5GiB')
    return int(match[1]) * SIZES.get(match[2], 1)


def format_size(size_bytes: int) -> str:
    """The shortest text that `parse_size` turns into exactly the same number."""
    return _format(size_bytes, SIZES)


def readable_size(size_bytes: int) -> str:
    """For people: `117.7 MiB`, rounded, where `format_size` would have to write every byte."""
    for unit, factor in SIZES.items():
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}".replace(".0 ", " ")
    return f"{size_bytes} bytes"


def parse_duration(value: str) -> int:
    """Seconds. A year is 365 days."""
    match = _DURATION.match(value)
    if match is None:
        raise ValueError(f'"{value}" is not a duration; write for example 15m, 2h or 90s')
    return int(match[1]) * DURATIONS[match[2]]


def format_duration(duration_s: int) -> str:
    """The shortest text that `parse_duration` turns into exactly the same number."""
    return _format(duration_s, DURATIONS) if duration_s else "0s"


def _format(number: int, units: dict[str, int]) -> str:
    if number < 0:
        raise ValueError(f"{number} is negative")
    for unit, factor in units.items():  # the largest first
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)
