"""Every module is whole: files, README, versions, words for what goes in and out; skips have their reasons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.infra.blocks import ENVIRONMENTS, TERRAFORM, documented, folders, of_kind
from tests.infra.readme import render

if TYPE_CHECKING:
    from pathlib import Path

MOST_INPUTS: Final = 12
SKIP: Final = re.compile(r"(checkov:skip=|trivy:ignore:)(\S+)(.*)")
FEWEST_WORDS: Final = 2
KEEPS_DATA: Final = ("aws_s3_bucket", "aws_rds_cluster", "aws_backup_vault", "aws_kms_key")


def ids(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("folder", documented(), ids=ids)
def test_readme_says_what_the_files_say(folder: Path) -> None:
    assert (folder / "README.md").read_text(encoding="utf-8") == render(folder), "make infra-docs writes it"


@pytest.mark.parametrize("folder", documented(), ids=ids)
def test_module_has_its_files_and_tests(folder: Path) -> None:
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"):
        assert (folder / name).is_file(), name
    assert list((folder / "tests").glob("*.tftest.hcl"))


@pytest.mark.parametrize("folder", documented(), ids=ids)
def test_inputs_are_few_typed_and_described(folder: Path) -> None:
    inputs = of_kind(folder, "variable")
    assert len(inputs) <= MOST_INPUTS
    for block in [*inputs, *of_kind(folder, "output")]:
        assert block.body.get("description", "").endswith("."), block.name
    assert all("type" in block.body for block in inputs)


@pytest.mark.parametrize("folder", folders(), ids=ids)
def test_versions_are_pinned_and_no_module_comes_from_elsewhere(folder: Path) -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.tf"))
    assert 'required_version = ">= 1.11, < 2.0"' in text
    assert 'version = "~> 6.60"' in text
    assert not [block.name for block in of_kind(folder, "module") if not block.body["source"].startswith("../")]
    assert set(re.findall(r'source\s*= "([a-z]+/[a-z]+)"', text)) == {"hashicorp/aws"}


@pytest.mark.parametrize("folder", folders(), ids=ids)
def test_nothing_is_counted_by_number(folder: Path) -> None:
    """A place in a list is no identity: what stands before it goes, and everything after is made anew."""
    for kind in ("resource", "module"):
        assert not [block.name for block in of_kind(folder, kind) if "count" in block.body]


def test_environments_are_the_same_files_without_conditions() -> None:
    staging, prod = ({file.name for file in (TERRAFORM / "envs" / name).glob("*.tf")} for name in ENVIRONMENTS)
    assert staging - prod == {"hours.tf"}
    assert prod <= staging
    for name in ENVIRONMENTS:
        for file in (TERRAFORM / "envs" / name).glob("*.tf"):
            assert " ? " not in re.sub(r"cron\([^)]*\)", "", file.read_text(encoding="utf-8")), file


@pytest.mark.parametrize("folder", folders(), ids=ids)
def test_every_skipped_check_has_its_reason(folder: Path) -> None:
    for file in folder.glob("*.tf"):
        for _, check, reason in SKIP.findall(file.read_text(encoding="utf-8")):
            assert len(reason.split()) >= FEWEST_WORDS or ":" in check, f"{file.name}: {check}"


def test_what_holds_data_cannot_be_destroyed_by_a_plan() -> None:
    for name, kinds in {"file_store": 1, "database": 1, "backup": 2, "keys": 1, "security_baseline": 1}.items():
        kept = [
            block
            for block in of_kind(TERRAFORM / "modules" / name, "resource")
            if block.labels[0] in KEEPS_DATA
            and any(one.get("prevent_destroy") for one in block.body.get("lifecycle", []))
        ]
        assert len(kept) == kinds, name
