"""What Terraform tells the platform is what the platform reads, in both environments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra import contract
from tests.infra.blocks import ENVIRONMENTS, ROOT, TERRAFORM, of_kind


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_setting_is_one_that_the_platform_reads(environment: str) -> None:
    assert set(contract.settings(environment)) <= set(contract.read_by_platform())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_that_the_platform_needs_on_aws_is_given(environment: str) -> None:
    given = set(contract.settings(environment)) | set(contract.OTHERS)
    assert contract.needed_on_aws() <= given


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_secrets_are_named_for_what_they_are(environment: str) -> None:
    said = contract.secrets(environment)
    assert {text.partition(":")[0] for text in said.values()} <= {*contract.OTHERS, *contract.OF_RELEASES}


def test_environments_give_the_same_settings() -> None:
    staging, prod = map(contract.settings, ENVIRONMENTS)
    assert set(staging) == set(prod)


def test_environments_put_out_the_same_names() -> None:
    staging, prod = map(contract.outputs, ENVIRONMENTS)
    assert staging == prod


def test_table_says_what_the_files_say() -> None:
    assert contract.TABLE.read_text(encoding="utf-8") == contract.render(), "make infra-docs writes it"


def test_every_process_of_the_grants_has_a_role() -> None:
    granted = json.loads((ROOT / "deploy/iam/grants.json").read_text(encoding="utf-8"))
    body: dict[str, Any] = next(
        block.body for block in of_kind(TERRAFORM / "modules/workload_roles", "locals") if "processes" in block.body
    )
    assert set(granted) == {*body["processes"], "state_machine"}
