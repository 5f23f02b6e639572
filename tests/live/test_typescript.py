"""The TypeScript client against a started platform: what every client must be able to do, and what breaks."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.node import NODE, Built, built, run
from tests.live.platform import ROOT

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

CLIENTS: Final = ROOT / "tests" / "clients"
SCENARIO: Final = CLIENTS / "scenario.json"


@pytest.fixture(scope="module")
def package() -> Built:
    return built()


def installed(package: Built, program: str, folder: Path) -> list[str]:
    """A program in a project of its own, checked by the compiler."""
    file = package.user(folder) / program
    shutil.copyfile(CLIENTS / "typescript" / program, file)
    package.require_clean(file)
    return [str(NODE), str(file)]


def surroundings(platform: Platform, url: str = "") -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "ESTEIRA_URL": url or platform.url, "ESTEIRA_TOKEN": platform.token}


def require_done(done: subprocess.CompletedProcess[str], platform: Platform) -> str:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{platform.logs()}"
    return done.stdout


def test_client_can_do_what_every_client_must(package: Built, platform: Platform, tmp_path: Path) -> None:
    command = installed(package, "scenario.ts", tmp_path / "user")
    done = run([*command, str(SCENARIO), str(tmp_path)], cwd=tmp_path, env=surroundings(platform))
    steps = json.loads(SCENARIO.read_text())["steps"]
    assert f"played {len(steps)} steps" in require_done(done, platform)
