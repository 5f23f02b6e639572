"""Run by itself, where policy-sentry is: actions that do not exist, and those on `*` that know resources after all.

Reads {"actions": […], "without_resources": […]} and prints one fault a line.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from policy_sentry.querying.actions import get_action_data

if TYPE_CHECKING:
    from collections.abc import Iterator


def faults(asked: dict[str, list[str]]) -> Iterator[str]:
    for action in asked["actions"]:
        if not places(action):
            yield f"{action} is no action of AWS"
    for action in asked["without_resources"]:
        if places(action) != {"*"}:
            yield f"{action} can be bound to {', '.join(sorted(places(action)))}"


def places(action: str) -> set[str]:
    """Forms of the resources that it knows; `*` for none. Empty: there is no such action."""
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    return {one["resource_arn_format"] for one in found[service]} if found and service in found else set()


if __name__ == "__main__":
    print(*faults(json.load(sys.stdin)), sep="\n")
