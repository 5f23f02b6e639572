"""Only the bytes that CI has built reach a registry: the script with a skopeo that keeps its images in files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.infra.blocks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SKOPEO: Final = """\
#!{python}
# A digest is that of the file; a registry is a folder. `spoil` in it changes what is copied.
import hashlib, pathlib, sys
here = pathlib.Path({folder!r})
def place(name):
    kind, _, rest = name.partition(":")
    return pathlib.Path(rest) if kind == "oci-archive" else here / rest.strip("/").replace("/", "_")
words = [word for word in sys.argv[2:] if not word.startswith("-") and "Digest" not in word]
with (here / "asked").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "inspect":
    if not place(words[0]).exists():
        sys.exit("manifest unknown")
    print("sha256:" + hashlib.sha256(place(words[0]).read_bytes()).hexdigest())
else:
    spoil = b"x" if (here / "spoil").exists() else b""
    place(words[1]).write_bytes(place(words[0]).read_bytes() + spoil)
"""
CONTENT: Final = b"an image"
DIGEST: Final = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
TARGET: Final = "registry.example.org/esteira-prod/platform:1"


class Bench:
    def __init__(self, folder: Path) -> None:
        self.registry = folder / "registry"
        self.registry.mkdir()
        (folder / "bin").mkdir()
        skopeo = folder / "bin/skopeo"
        skopeo.write_text(SKOPEO.format(python=sys.executable, folder=str(self.registry)))
        skopeo.chmod(0o755)
        self.script = folder / "deploy/release/push.sh"
        self.script.parent.mkdir(parents=True)
        shutil.copy(ROOT / "deploy/release/push.sh", self.script)
        (folder / "build/images").mkdir(parents=True)
        (folder / "build/images/platform.tar").write_bytes(CONTENT)
        self._path = f"{folder / 'bin'}:{os.defpath}"

    def push(self, digest: str = DIGEST) -> subprocess.CompletedProcess[str]:
        command = [str(self.script), "platform", TARGET, digest]
        return subprocess.run(command, env={"PATH": self._path}, capture_output=True, text=True, check=False)

    @property
    def stored(self) -> Path:
        return self.registry / TARGET.replace("/", "_")

    def copies(self) -> list[str]:
        return [line for line in (self.registry / "asked").read_text().splitlines() if line.startswith("copy")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_image_arrives_with_its_digest(bench: Bench) -> None:
    assert bench.push().returncode == 0
    assert bench.stored.read_bytes() == CONTENT
    assert "--preserve-digests" in bench.copies()[0]


def test_other_bytes_than_those_that_were_scanned_stay_here(bench: Bench) -> None:
    done = bench.push(digest=f"sha256:{'0' * 64}")
    assert done.returncode == 1
    assert DIGEST in done.stderr
    assert not bench.stored.exists()


def test_registry_that_has_something_else_is_not_believed(bench: Bench) -> None:
    (bench.registry / "spoil").touch()
    done = bench.push()
    assert done.returncode == 1
    assert f"and not {DIGEST}" in done.stderr


def test_second_call_is_content_with_what_is_there(bench: Bench) -> None:
    """A tag is written once: copying again would be refused."""
    bench.push()
    assert bench.push().returncode == 0
    assert len(bench.copies()) == 1
