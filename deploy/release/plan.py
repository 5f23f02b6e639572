"""What Terraform would do, for people, and a fingerprint of it.

    terraform show -json FILE | python -m deploy.release.plan prod

A plan file holds secrets in plain text, so none is kept between the plan that somebody approved and the apply. The
apply plans again instead, and goes on only if the fingerprint is the one that was approved (`--approved`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from typing import Any, Final

from deploy.release.faults import ReleaseFault, told

SIGNS: Final = {
    ("create",): "add",
    ("update",): "change",
    ("delete",): "destroy",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}
WHAT_COUNTS: Final = ("actions", "before", "after", "after_unknown")


def changes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of resources and outputs that change something."""
    resources = [one for one in plan.get("resource_changes", []) if tuple(one["change"]["actions"]) in SIGNS]
    outputs = [
        {"address": f"output.{name}", "change": change}
        for name, change in sorted(plan.get("output_changes", {}).items())
        if tuple(change["actions"]) in SIGNS
    ]
    return sorted(resources, key=lambda one: one["address"]) + outputs


def fingerprint(plan: dict[str, Any]) -> str:
    told = [[one["address"], *(one["change"].get(what) for what in WHAT_COUNTS)] for one in changes(plan)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def summary(environment: str, plan: dict[str, Any]) -> str:
    """Markdown: addresses only, for values may be secret."""
    found = changes(plan)
    if not found:
        return f"### {environment}: nothing to do\n"
    counts = Counter(_sign(one) for one in found)
    head = ", ".join(f"{number} to {sign}" for sign, number in sorted(counts.items()))
    rows = "\n".join(f"| {_sign(one)} | `{one['address']}` |" for one in found)
    return f"### {environment}: {head}\n\n| | |\n|---|---|\n{rows}\n\nFingerprint `{fingerprint(plan)}`\n"


def _sign(one: dict[str, Any]) -> str:
    return SIGNS[tuple(one["change"]["actions"])]


def require(approved: str, plan: dict[str, Any]) -> None:
    if fingerprint(plan) != approved:
        raise ReleaseFault("What would be done now is not what was approved, for something has changed meanwhile.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment")
    parser.add_argument("--approved", metavar="FINGERPRINT", help="fail unless the plan has this one")
    parser.add_argument(
        "--fingerprint", action="store_true", help="print that, and how many changes, as a workflow's outputs"
    )
    asked = parser.parse_args()
    plan = json.load(sys.stdin)
    with told():
        if asked.approved is not None:
            require(asked.approved, plan)
    outputs = f"fingerprint={fingerprint(plan)}\nchanges={len(changes(plan))}"
    print(outputs if asked.fingerprint else summary(asked.environment, plan))


if __name__ == "__main__":
    main()
