"""Terraform on a copy of what it reads: with recorded schemas where `tf-offline` is, else with the real provider."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from tests.infra.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

READ: Final = ("deploy/terraform", "deploy/iam", "orchestration/engines/step_functions/pipeline.asl.json")
LIMIT_S: Final = 900
NONE: Final = """\
There is no Terraform here. Install Terraform 1.11 or newer (https://developer.hashicorp.com/terraform/install).
With a network it fetches the AWS provider itself. Without one, name a wrapper that serves the provider's schemas and
takes `--root TREE FOLDER COMMAND`, in TF_OFFLINE=/path/of/tf-offline."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """`wrapper` empty: the real provider, from the registry."""

    binary: str
    wrapper: str

    @classmethod
    def find(cls) -> Terraform:
        binary = shutil.which("terraform")
        wrapper = os.environ.get("TF_OFFLINE") or shutil.which("tf-offline") or ""
        if binary is None:
            raise SystemExit(NONE)
        return cls(binary, wrapper)

    def is_formatted(self, folder: Path) -> str:
        """What differs; "" if nothing does."""
        done = _run([self.binary, "fmt", "-check", "-recursive", "-diff", str(folder)], cwd=folder)
        return done.stdout if done.returncode else ""

    def run(self, tree: Path, folder: str, *command: str) -> subprocess.CompletedProcess[str]:
        if self.wrapper:
            return _run([self.wrapper, "-q", "--root", str(tree), str(tree / folder), *command], cwd=tree)
        there = tree / folder
        init = _run([self.binary, "init", "-backend=false", "-input=false"], cwd=there)
        return init if init.returncode else _run([self.binary, *command], cwd=there)

    def plan(self, tree: Path, folder: str) -> dict[str, Any]:
        """Of an environment that does not exist yet, with no credentials: only with recorded schemas."""
        file = tree / f"{Path(folder).name}.plan"
        for command in (["plan", "-input=false", f"-out={file}"], ["show", "-json", str(file)]):
            done = self.run(tree, folder, *command)
            if done.returncode:
                raise SystemExit(f"{folder}: {' '.join(command)} failed\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return dict(json.loads(done.stdout[done.stdout.index("{") :]))


@contextmanager
def copied() -> Iterator[Path]:
    """What is changed in it to see a test go red changes nothing here."""
    with TemporaryDirectory(prefix="esteira-infra-") as name:
        tree = Path(name)
        for what in READ:
            source, target = ROOT / what, tree / what
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns(".terraform*"))
            else:
                shutil.copy(source, target)
        yield tree


def _run(command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    quiet = os.environ | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=cwd, env=quiet, capture_output=True, text=True, timeout=LIMIT_S, check=False)
