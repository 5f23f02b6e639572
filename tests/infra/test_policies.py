"""No policy allows what nobody has thought of, and a fault would be seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.blocks import TERRAFORM, folders, of_kind
from tests.infra.policies import NARROWING, faults, statement_faults


def test_no_policy_allows_more_than_it_names() -> None:
    assert not faults()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"actions": ["s3:*"], "resources": ["arn:aws:s3:::ours"]}, "name each action"),
        ({"actions": ["*"], "resources": ["arn:aws:s3:::ours"]}, "name each action"),
        ({"not_actions": ["iam:*"], "resources": ["*"]}, "invents next"),
        ({"actions": ["s3:GetObject"], "resources": ["*"]}, "could be bound to ours"),
        ({"actions": ["sqs:SendMessage"], "resources": ["q"], "principals": [{"identifiers": ["*"]}]}, "anybody may"),
    ],
)
def test_statement_that_allows_too_much_is_a_fault(statement: dict[str, Any], said: str) -> None:
    assert [fault for fault in statement_faults(statement) if said in fault]


def test_exceptions_name_statements_that_are_there() -> None:
    there = {
        (folder.relative_to(TERRAFORM).as_posix(), block.labels[1], statement.get("sid", ""))
        for folder in folders()
        for block in of_kind(folder, "data")
        for statement in block.body.get("statement", [])
    }
    assert set(NARROWING) <= there
