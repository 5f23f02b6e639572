"""What was approved is what is applied: the fingerprint of a plan changes with whatever would be done."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import pytest

from deploy.release.faults import ReleaseFault
from deploy.release.plan import fingerprint, require, summary
from tests.infra.blocks import ROOT

SECRET = "the-password"


def resource(address: str, actions: list[str], **after: Any) -> dict[str, Any]:
    change = {"actions": actions, "before": None, "after": after, "after_unknown": {"arn": True}}
    return {"address": address, "change": change}


def plan() -> dict[str, Any]:
    return {
        "timestamp": "2026-11-29T12:00:00Z",
        "resource_changes": [
            resource("module.files.aws_s3_bucket.this", ["update"], bucket="uploads"),
            resource("aws_db_instance.one", ["delete", "create"], password=SECRET),
            resource("aws_kms_key.one", ["no-op"]),
            resource("data.aws_region.current", ["read"]),
        ],
        "output_changes": {"name": {"actions": ["create"], "before": None, "after": "esteira", "after_unknown": False}},
    }


def test_plan_is_told_without_its_values() -> None:
    said = summary("prod", plan())
    assert said.startswith("### prod: 1 to add, 1 to change, 1 to replace\n")
    assert "| replace | `aws_db_instance.one` |" in said
    assert "aws_kms_key" not in said
    assert SECRET not in said


def test_same_plan_later_has_the_same_fingerprint() -> None:
    later = plan() | {"timestamp": "2026-11-30T12:00:00Z"}
    later["resource_changes"].reverse()
    require(fingerprint(plan()), later)


@pytest.mark.parametrize(
    ("number", "what", "value"),
    [
        (0, "actions", ["delete"]),
        (0, "after", {"bucket": "other"}),
        (0, "before", {"bucket": "uploads"}),
        (0, "after_unknown", {}),
        (2, "actions", ["update"]),
    ],
)
def test_whatever_else_would_be_done_is_refused(number: int, what: str, value: Any) -> None:
    other = copy.deepcopy(plan())
    other["resource_changes"][number]["change"][what] = value
    with pytest.raises(ReleaseFault, match="not what was approved"):
        require(fingerprint(plan()), other)


def test_one_change_more_is_refused() -> None:
    other = plan()
    other["resource_changes"].append(resource("aws_iam_user.one", ["create"]))
    with pytest.raises(ReleaseFault):
        require(fingerprint(plan()), other)


def test_no_change_says_so() -> None:
    assert summary("prod", {"resource_changes": [resource("a.b", ["no-op"])]}) == "### prod: nothing to do\n"


@pytest.mark.parametrize(("approved", "code"), [(fingerprint(plan()), 0), ("", 1), ("0" * 64, 1)])
def test_command_stops_what_was_not_approved(approved: str, code: int) -> None:
    """An empty one too: an output that a workflow lost must not open the gate."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.release.plan", "prod", "--approved", approved],
        cwd=ROOT,
        input=json.dumps(plan()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert SECRET not in done.stdout + done.stderr
