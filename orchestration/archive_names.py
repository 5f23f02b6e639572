"""Names inside of archives: harmless wherever they are unpacked, and no two of them one file on any disk."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from orchestration.runner.names import clean, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable

# What Windows refuses in a name, or takes for a drive or a stream.
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
_DEVICE: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")


def harmless(name: str) -> str:
    """`../../etc/passwd` becomes `_.._/_.._/etc/passwd`: below the folder where it is unpacked, in any case."""
    parts = clean(name.replace("\\", "/").strip("/")).split("/")
    return "/".join(_part(part) for part in parts)


def _part(part: str) -> str:
    part = _FORBIDDEN.sub("_", part)
    if part.endswith("."):
        part = f"{part[:-1]}_"
    return f"_{part}" if _DEVICE.match(part) else part


def distinct(names: Iterable[str], *, taken: Iterable[str] = ()) -> list[str]:
    """For each name its own, in the same order: `report.html`, then `report-2.html`; none is a folder of another."""
    given = _Given({name.casefold() for name in taken})
    return [given.own(harmless(name)) for name in names]


class _Given:
    """Folded, because Report.html and report.html are one file on some disks."""

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self._folders: set[str] = set()
        # Of ten thousand files of one name, each begins to count where the last ended.
        self._last: dict[str, int] = {}

    def own(self, name: str) -> str:
        parents = _parents(name.casefold())
        if any(parent in self._files for parent in parents):
            # Its folder is a file already: it becomes a file beside it.
            return self.own(name.replace("/", "_"))
        for number in count(self._last.get(name.casefold(), 1)):
            mine = name if number == 1 else numbered(name, number)
            if mine.casefold() not in self._files and mine.casefold() not in self._folders:
                self._last[name.casefold()] = number + 1
                self._files.add(mine.casefold())
                self._folders.update(parents)
                return mine
        raise AssertionError("count() never ends")


def _parents(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]
