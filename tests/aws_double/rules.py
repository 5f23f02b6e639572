"""Batch's rules of what is tried again: the first that matches the end of an attempt decides."""

from __future__ import annotations

from typing import Any


def is_tried_again(retry: dict[str, Any], code: int | None, reason: str, status_reason: str) -> bool:
    """By the first rule that matches; what none matches is tried again."""
    facts = {"onExitCode": "" if code is None else str(code), "onReason": reason, "onStatusReason": status_reason}
    for rule in retry.get("evaluateOnExit", []):
        wanted = {name: pattern for name, pattern in rule.items() if name in facts}
        if all(_matches(facts[name], pattern) for name, pattern in wanted.items()):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _matches(fact: str, pattern: str) -> bool:
    return fact.lower().startswith(pattern[:-1].lower()) if pattern.endswith("*") else fact.lower() == pattern.lower()
