"""What the script that builds for a release says is what a workflow keeps: digests, and not a word of the builder's."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from tests.deploy.play import programs
from tests.deploy.test_push import DIGEST, SKOPEO
from tests.infra.blocks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# As deploy/images/build.sh speaks, and where it puts what it made.
BUILD: Final = """\
echo "Building esteira/$1:0.1.0 with $BUILDER …"
[ "$BUILDER $BUILDX_NO_DEFAULT_ATTESTATIONS" = "docker 1" ] || exit 3
printf 'an image' > "${OUTPUT#type=oci,dest=}"
"""
DOCKER: Final = """\
case $1 in
    create) echo c0ffee ;;
    cp) echo '{}' > "$4"; echo "Successfully copied" ;;
    rm) echo c0ffee ;;
esac
"""


def built(folder: Path, build: str = BUILD) -> subprocess.CompletedProcess[str]:
    for name, text in {"deploy/images/build.sh": f"#!/bin/sh\n{build}", "registry/.keep": ""}.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    script = folder / "deploy/release/build.sh"
    script.parent.mkdir()
    shutil.copy(ROOT / "deploy/release/build.sh", script)
    env = programs(folder / "bin", docker=DOCKER)
    skopeo = folder / "bin/skopeo"
    skopeo.write_text(SKOPEO.format(python=shutil.which("python3"), folder=str(folder / "registry")))
    skopeo.chmod(0o755)
    command = [str(script), "platform", "steps"]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)


def test_only_digests_are_said(tmp_path: Path) -> None:
    done = built(tmp_path)
    assert (done.returncode, done.stdout) == (0, f"platform={DIGEST}\nsteps={DIGEST}\n"), done.stderr
    names = {path.name for path in (tmp_path / "build/images").iterdir()}
    assert names == {"platform.tar", "platform.cdx.json", "steps.tar", "steps.cdx.json"}


def test_build_that_fails_gives_no_digest(tmp_path: Path) -> None:
    done = built(tmp_path, "exit 4")
    assert (done.returncode, done.stdout) == (4, "")
