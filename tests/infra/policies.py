"""What the IAM policies of deploy/terraform may not say, read from their text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.infra.blocks import ROOT, TERRAFORM, folders, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL: Final = "*"

# Actions that know no resources, by AWS's Service Authorization Reference: a policy can say `*` only.
WITHOUT_RESOURCES: Final = frozenset(
    {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
        "batch:DescribeJobDefinitions",
        "batch:DescribeJobs",
        "batch:ListJobs",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "ec2:GetInstanceTypesFromInstanceRequirements",
        "ecr:GetAuthorizationToken",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)

# Statements that grant nothing by themselves: they narrow what other policies grant, and have to name everything.
NARROWING: Final = {
    ("modules/ci", "boundary", "WhatIsNotDeniedBelow"): "a boundary is what is taken away from AdministratorAccess",
    ("modules/network", "s3_endpoint", "PeopleOfThisAccount"): "an endpoint's policy narrows what roles may do",
    ("modules/network", "interface_endpoint", "PeopleOfThisAccount"): "the same",
}


def faults() -> list[str]:
    return list(_faults())


def _faults() -> Iterator[str]:
    for folder in folders():
        module = folder.relative_to(TERRAFORM).as_posix()
        for block in of_kind(folder, "data"):
            if block.labels[0] != "aws_iam_policy_document":
                continue
            for statement in block.body.get("statement", []):
                where = (module, block.labels[1], statement.get("sid", ""))
                if statement.get("effect") != "Deny" and where not in NARROWING:
                    yield from (f"{'/'.join(where)}: {fault}" for fault in statement_faults(statement))


def actions() -> set[str]:
    """All that are named, in deploy/iam too."""
    granted = json.loads((ROOT / "deploy/iam/grants.json").read_text(encoding="utf-8"))
    said = {
        action
        for folder in folders()
        for block in of_kind(folder, "data")
        if block.labels[0] == "aws_iam_policy_document"
        for statement in block.body.get("statement", [])
        for action in _words(statement.get("actions", []))
        if ALL not in action and "$" not in action
    }
    return said.union(*granted.values())


def statement_faults(statement: dict[str, Any]) -> Iterator[str]:
    """Of one that allows. In a policy of a resource (with principals) `*` is that resource and no other."""
    actions = _words(statement.get("actions", []))
    is_of_resource = "principals" in statement or "dynamic" in statement
    for action in actions:
        if ALL in action and not (action == "kms:*" and _is_account_root(statement)):
            yield f"{action} allows what nobody has thought of: name each action"
    if "not_actions" in statement:
        yield "not_actions allows whatever AWS invents next"
    if ALL in _words(statement.get("resources", [])) and not is_of_resource:
        yield from (
            f"{action} on every resource: it could be bound to ours"
            for action in actions
            if action not in WITHOUT_RESOURCES
        )
    if is_of_resource and _is_anybody(statement) and not statement.get("condition"):
        yield "anybody may, without a condition"


def _words(said: Any) -> list[str]:
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []


def _is_account_root(statement: dict[str, Any]) -> bool:
    """A key's policy that leaves it to IAM, without which a key can be locked out for good."""
    return any(one.endswith(":root") for who in statement.get("principals", []) for one in _words(who["identifiers"]))


def _is_anybody(statement: dict[str, Any]) -> bool:
    return any(ALL in _words(who.get("identifiers")) for who in statement.get("principals", [])) and not _is_of_aws(
        statement
    )


def _is_of_aws(statement: dict[str, Any]) -> bool:
    """Layers of images lie in AWS's own buckets, which anybody may read by AWS's own will."""
    return all(
        "starport-layer-bucket" in one or "al2023-repos" in one for one in _words(statement.get("resources", []))
    )
