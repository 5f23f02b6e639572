"""Somebody is woken, opens a runbook, types what it says and does what its tables say helps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from tests.live.platform import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.live.platform import Platform

RUNBOOKS: Final = ROOT / "docs" / "runbooks"
FIRST: Final = "First five minutes"
MENDED: Final = "It is mended when"
HERE: Final = ("python manage.py ", "esteira ", "grep ")
"""What can be typed on this machine. The three rehearsed runbooks say nothing else in their blocks."""
ERROR: Final = re.compile(r"^  ERROR   (?P<name>.{22})(?P<said>.*) \([0-9]+ ms\)$", re.MULTILINE)

WELL: Final = re.compile(r"^(All is well\.|It works, with [0-9]+ warnings\.)$", re.MULTILINE)


class Row(NamedTuple):
    """Of a table: when it is that, what it is, what helps."""

    seen: str
    cause: str
    helps: str

    def fits(self, name: str, said: str) -> bool:
        words = re.findall(r"\*([^*]+)\*", self.seen)
        return f"`{name}`" in self.seen and (not words or any(one in said for one in words))


@dataclass(frozen=True)
class Runbook:
    text: str

    @classmethod
    def read(cls, name: str) -> Runbook:
        return cls((RUNBOOKS / f"{name}.md").read_text(encoding="utf-8"))

    def section(self, heading: str) -> str:
        return self.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]

    def commands(self, heading: str) -> list[str]:
        blocks = re.findall(r"^```sh\n(.*?)^```", self.section(heading), re.MULTILINE | re.DOTALL)
        return [line for block in blocks for line in block.splitlines() if line]

    def rows(self, heading: str) -> list[Row]:
        lines = [line for line in self.section(heading).splitlines() if line.startswith("| ")]
        return [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines[1:]]


@dataclass
class Night:
    platform: Platform
    runbook: Runbook
    said: str = ""
    """By all that was typed."""

    def type_all(self, heading: str) -> str:
        """What they said together. In the environment that the processes have just now."""
        return "\n".join(self.type(command) for command in self.runbook.commands(heading))

    def type(self, command: str) -> str:
        assert command.startswith(HERE), f"nobody has said how {command!r} is rehearsed"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._desk(),
            env={**os.environ, **self.platform.children.env, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
            input="y\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        self.said += done.stdout + done.stderr
        return done.stdout + done.stderr

    def look(self) -> list[Row]:
        """The rows of the runbook that fit what is wrong."""
        said = self.type_all(FIRST)
        wrong = [(found["name"].strip(), found["said"]) for found in ERROR.finditer(said)]
        rows = [row for name, words in wrong for row in self.runbook.rows(FIRST) if row.fits(name, words)]
        assert len(rows) == len(wrong) > 0, f"the runbook knows {rows} of {wrong}\n{said}"
        return rows

    def mend(self, rows: list[Row], ways: Mapping[str, Callable[[], None]]) -> None:
        """Each by the words of the page: a way that it no longer names is no way."""
        for row in rows:
            (way,) = [do for words, do in ways.items() if words in row.helps]
            way()

    def until_well(self, *, patience_s: float = 120) -> None:
        """Asked again and again, as somebody does who waits for processes to come up."""
        deadline = time.monotonic() + patience_s
        while not self._is_ready() or not WELL.search(said := self.type_all(MENDED)):
            assert time.monotonic() < deadline, f"{self.said}\n{self.platform.logs()}"
            time.sleep(0.2)
        assert "Traceback" not in said, said

    def _is_ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.platform.url}/health/ready", timeout=30, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def _desk(self) -> Path:
        """Looks as the checkout does to who works in it, with this platform's data."""
        desk = self.platform.home / "desk"
        if not desk.exists():
            desk.mkdir()
            (desk / "manage.py").symlink_to(ROOT / "manage.py")
            (desk / "var").symlink_to(self.platform.home)
        return desk
