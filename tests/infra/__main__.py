"""`make infra-check`: deploy/terraform by Terraform itself, its linters, and whether its tests would see a fault."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from project.kept_secret import new_signing_key
from tests.infra import facts, linters, mutations
from tests.infra.blocks import ENVIRONMENTS, ROOT, TERRAFORM, folders
from tests.infra.terraform import Terraform, copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT_ONCE: Final = 2
PLAN: Final = TERRAFORM / "PLAN.md"
WRITE: Final = "WRITE_PLAN"
IMAGE: Final = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/esteira/platform@sha256:{'0' * 64}"
LOAD: Final = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; django.setup()"


def formatted(terraform: Terraform) -> list[str]:
    said = terraform.is_formatted(TERRAFORM)
    return [f"terraform fmt -recursive deploy/terraform\n{said}"] if said else []


def tested(terraform: Terraform) -> list[str]:
    """`terraform test` validates first, so one command does for both."""
    with copied() as tree, ThreadPoolExecutor(AT_ONCE) as threads:
        return [said for said in threads.map(lambda one: _test(terraform, tree, one), folders()) if said]


def _test(terraform: Terraform, tree: Path, folder: Path) -> str:
    name = folder.relative_to(ROOT).as_posix()
    done = terraform.run(tree, name, "test", "-no-color")
    closing = next((line for line in reversed(done.stdout.splitlines()) if " passed, " in line), "")
    print(f"  {name.removeprefix('deploy/terraform/')}: {closing or 'failed'}", flush=True)
    return f"{name}\n{done.stdout[-4000:]}{done.stderr[-2000:]}" if done.returncode else ""


def planned(terraform: Terraform) -> list[str]:
    """What both environments would be, and whether the platform starts on what they would tell it."""
    if not terraform.wrapper:
        print("  left out: a plan without credentials needs recorded schemas (TF_OFFLINE)")
        return []
    with copied() as tree:
        plans = {name: terraform.plan(tree, f"deploy/terraform/envs/{name}") for name in ENVIRONMENTS}
    found = []
    for name, plan in plans.items():
        print(f"  {name}: {sum(facts.summary(plan).values())} resources")
        found += [*facts.faults(name, plan), *_starts(name, facts.settings(plan))]
    said = facts.table(plans)
    if os.environ.get(WRITE):
        PLAN.write_text(said, encoding="utf-8")
    elif PLAN.read_text(encoding="utf-8") != said:
        found.append(f"deploy/terraform/PLAN.md is not of these plans: {WRITE}=1 make infra-check ARGS='--only plans'")
    return found


def _starts(environment: str, told: dict[str, str]) -> list[str]:
    """The real settings with the values of the plan, and what others give."""
    others = {
        "DATABASE_URL": "postgresql://esteira_app:x@db/esteira?sslmode=verify-full",
        "ESTEIRA_BATCH_IMAGE": IMAGE,
        "ESTEIRA_SECRET_KEY": token_urlsafe(64),
        "ESTEIRA_SIGNING_KEY": new_signing_key(),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env=others | told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return (
        [f"{environment}: the platform does not start on its settings: {done.stderr[-500:]}"] if done.returncode else []
    )


def main() -> None:
    stages: dict[str, Callable[[Terraform], list[str]]] = {
        "format": formatted,
        "tests": tested,
        "plans": planned,
        "actions": lambda _: list(filter(None, [linters.actions()])),
        "checkov": lambda _: list(filter(None, [linters.checkov()])),
        "trivy": lambda _: list(filter(None, [linters.trivy()])),
        "mutations": mutations.survivors,
    }
    parser = argparse.ArgumentParser(prog="make infra-check", description=__doc__)
    parser.add_argument("--only", choices=stages, nargs="*", help="these stages and no others")
    chosen = parser.parse_args().only or list(stages)
    terraform = Terraform.find()
    failed = [name for name in chosen if not _passes(name, stages[name], terraform)]
    if failed:
        raise SystemExit(f"deploy/terraform is not as it must be: {', '.join(failed)}")
    print("deploy/terraform is as it says.")


def _passes(name: str, stage: Callable[[Terraform], list[str]], terraform: Terraform) -> bool:
    began = time.monotonic()
    print(f"{name} …", flush=True)
    faults = stage(terraform)
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{name}: {'failed' if faults else 'good'}, {time.monotonic() - began:.0f} s", flush=True)
    return not faults


if __name__ == "__main__":
    main()
