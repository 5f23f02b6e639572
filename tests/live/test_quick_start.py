"""docs/api/quick-start.md does what it says, against a started platform."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.node import NODE, built
from tests.live.platform import ROOT

if TYPE_CHECKING:
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PAGE: Final = ROOT / "docs" / "api" / "quick-start.md"
PROGRAMS: Final = {"sh": ["bash", "-euo", "pipefail"], "python": [sys.executable, "-W", "error"], "ts": [str(NODE)]}


def blocks(language: str) -> list[str]:
    """All of a language, but those that are marked as to be done by hand."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


def run(platform: Platform, language: str, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / f"quick_start.{language}"
    file.write_text(script)
    if language == "ts":
        package = built()
        package.user(folder)
        package.require_clean(file)
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "ESTEIRA_URL": platform.url,
        "ESTEIRA_TOKEN": platform.token,
    }
    return subprocess.run(
        [*PROGRAMS[language], str(file)], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=200
    )


@pytest.mark.parametrize("language", list(PROGRAMS))
def test_quick_start_does_what_it_says(platform: Platform, language: str, tmp_path: Path) -> None:
    done = run(platform, language, "\n".join(blocks(language)), tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{platform.logs()}"
    assert "SUCCEEDED" in done.stdout
    assert (tmp_path / "results.zip").stat().st_size
    assert list((tmp_path / "results").iterdir())


def test_command_that_fails_in_the_quick_start_is_seen(platform: Platform, tmp_path: Path) -> None:
    first, *_ = blocks("sh")
    done = run(platform, "sh", f'{first}\napi "$API/jobs/nothing" | jq .\necho still here', tmp_path)
    assert done.returncode != 0
    assert "still here" not in done.stdout


def test_few_blocks_are_left_to_the_reader() -> None:
    """A fence with a slip in its language would not be run, and nobody would notice."""
    fences = re.findall(r"^```(.+)$", PAGE.read_text(), flags=re.MULTILINE)
    assert [fence for fence in fences if fence not in PROGRAMS] == ["sh by hand"] * 2
    assert len(blocks("sh")) >= 7
    assert len(blocks("python")) >= 6
    assert len(blocks("ts")) >= 7
