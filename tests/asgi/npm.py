"""Clients for browsers as their authors published them: exact versions, checked by their published checksums."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

KEPT: Final = Path(__file__).resolve().parents[2] / "build" / "npm"


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    sha512: str
    """In base64."""

    def file(self, inside: str) -> Path:
        """A file of the package. Skips the test where it cannot be had."""
        found = KEPT / f"{self.name}-{self.version}" / "package" / inside
        KEPT.mkdir(parents=True, exist_ok=True)
        with (KEPT / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not found.exists():
                self._fetch(found.parents[len(Path(inside).parts)])
        return found

    def _fetch(self, folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("needs npm: it is not on this machine")
        with tempfile.TemporaryDirectory(dir=KEPT) as scratch:
            pack = [npm, "pack", f"{self.name}@{self.version}", "--ignore-scripts", "--pack-destination", scratch]
            done = subprocess.run(pack, cwd=scratch, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode:
                pytest.skip(f"needs npm: {self.name} {self.version} could not be had")
            (archive,) = Path(scratch).glob("*.tgz")
            assert base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() == self.sha512
            with tarfile.open(archive) as tar:
                tar.extractall(f"{scratch}/all", filter="data")
            Path(scratch, "all").rename(folder)


TUS: Final = Package(
    "tus-js-client",
    "4.3.1",
    "ZLeYmjrkaU1fUsKbIi8JML52uAocjEZtBx4DKjRrqzrZa0O4MYwT6db+oqePlspV+FxXJAyFBc/L5gwUi2OFsg==",
)
UPPY: Final = Package(
    "uppy",
    "6.0.1",
    "2OONMUNUHGBNkfSjNpWDhleeCeqm2oP+8NJRSxkkFVLmm3BbE7S+XCm45+jp36z7PCRuogtm1FgYPKa0iKbYAQ==",
)
