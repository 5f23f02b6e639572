"""Where a scenario's steps and its script meet: a folder with two words for the steps to use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# sh $GATES/wait NAME: tell that we are there, and stay until the script opens it. Not for ever: whatever nobody ended
# would go on after the tests.
_WAIT: Final = """\
touch "$GATES/at-$1-$ESTEIRA_ITEM"
turns=0
while [ ! -e "$GATES/open-$1" ]; do
  sleep 0.05
  turns=$((turns + 1))
  [ $turns -lt 1200 ] || exit 99
done
"""
# sh $GATES/once NAME && …: true the first time that this item asks, over all its attempts.
_ONCE: Final = """\
mkdir "$GATES/once-$1-$ESTEIRA_ITEM" 2>/dev/null
"""


class Gates:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "wait").write_text(_WAIT)
        (folder / "once").write_text(_ONCE)

    def open(self, name: str) -> None:
        (self.folder / f"open-{name}").touch()

    def is_reached(self, name: str, item: str = "0") -> bool:
        """By this item."""
        return (self.folder / f"at-{name}-{item}").exists()
