"""deploy/compose as the tests take it: read, copied, and with a stand-in for docker that notes what it was told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy" / "compose"
VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([-?])([^}]*(?:\$\{\w+\})?))?\}")
DOCKER: Final = """\
#!/bin/sh
echo "$*" >> "$DOCKER_SAID"
if [ -f "$DOCKER_FAILS" ] && echo "$*" | grep -q -f "$DOCKER_FAILS"; then exit 1; fi
case "$1 $2" in "image inspect") for last; do :; done; echo "$last@sha256:$(cat "$DOCKER_DIGEST")" ;; esac
"""


def services() -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return read


def variables(text: str) -> dict[str, str | None]:
    """Name → what it is where nobody says; None where it must be said."""
    return {name: default if sign == "-" else None for name, sign, default in VARIABLE.findall(text)}


def settings(file: str) -> dict[str, str]:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@dataclass
class Server:
    """A server with docker, where somebody has unpacked deploy/compose."""

    folder: Path
    top: Path

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": f"{self.top / 'bin'}:{os.environ['PATH']}",
            "DOCKER_SAID": str(self.top / "said"),
            "DOCKER_FAILS": str(self.top / "fails"),
            "DOCKER_DIGEST": str(self.top / "digest"),
        }
        return subprocess.run(
            [str(self.folder / script), *words], env=env, cwd="/", capture_output=True, text=True, check=False
        )

    def said(self) -> list[str]:
        """What docker was told since the last look, without the files that every call names."""
        said = self.top / "said"
        lines = said.read_text().splitlines() if said.exists() else []
        said.unlink(missing_ok=True)
        return [line.removeprefix("compose --env-file .env --env-file images.lock ") for line in lines]

    def new_images(self, digest: str) -> None:
        (self.top / "digest").write_text(digest)

    def failing(self, pattern: str) -> None:
        (self.top / "fails").write_text(pattern + "\n")

    def lock(self) -> str:
        return (self.folder / "images.lock").read_text()


def server(top: Path) -> Server:
    folder = top / "compose"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".env", "secrets", "images.lock*"))
    example = (folder / "env.example").read_text()
    (folder / "env.example").write_text(example.replace("/var/backups/esteira", str(top / "backups")))
    (top / "bin").mkdir()
    (top / "bin/docker").write_text(DOCKER)
    (top / "bin/docker").chmod(0o755)
    made = Server(folder, top)
    made.new_images("1" * 64)
    return made
