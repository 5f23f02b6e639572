"""Terraform ⇄ the platform's settings ⇄ the cluster: one table, made from what both sides say."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.infra.blocks import ENVIRONMENTS, ROOT, TERRAFORM, of_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TABLE: Final = TERRAFORM / "CONTRACT.md"
READERS: Final = ("aws_cell", "object_storage", "settings", "kept_secret")
NAME: Final = re.compile(r'"((?:ESTEIRA|AWS)_[A-Z0-9_]+|DATABASE_URL)"')
BUCKETS: Final = frozenset({"ESTEIRA_S3_BUCKET_UPLOADS", "ESTEIRA_S3_BUCKET_RESULTS"})

_HEAD: Final = """\
# Terraform, the platform and the cluster

Made by `make infra-docs` from `envs/*/settings.tf` and `project/`; `tests/infra/test_contract.py` holds them to it.
`make infra-check` starts the platform's settings with the values of each environment's plan."""
_SETTINGS: Final = """\
## Settings

Each is a parameter `/NAME/settings/SETTING` (Systems Manager); External Secrets makes the pods' environment of them."""
_OUTPUTS: Final = """\
## Outputs for the overlay

`terraform output -json` of the environment; the overlay's placeholders bear the same names."""

# Settings that a process on AWS needs and Terraform does not give, with who does.
OTHERS: Final = {
    "DATABASE_URL": "External Secrets, from `NAME/database`: user, password, host, dbname; sslmode=verify-full."
    " The migration's has user and password from `database_owner_secret_arn`",
    "ESTEIRA_BATCH_IMAGE": "the release: the image of steps, by its digest",
    "ESTEIRA_MAIL_URL": "External Secrets, from the secret `NAME/mail-url`",
    "ESTEIRA_SECRET_KEY": "External Secrets, from the secret `NAME/secret-key`",
    "ESTEIRA_SIGNING_KEY": "External Secrets, from the secret `NAME/signing-key`",
}
OF_RELEASES: Final = {"ESTEIRA_TOKEN": "the workflow that deploys, from the secret `NAME/smoke-token`; no pod gets it"}


def settings(environment: str) -> dict[str, Any]:
    """By the name of the variable, how Terraform makes its value."""
    body = _module(environment)["settings"]
    return dict(sorted(body.items()))


def secrets(environment: str) -> dict[str, str]:
    return dict(_module(environment)["secrets"])


def outputs(environment: str) -> dict[str, str]:
    return {block.name: block.body["description"] for block in of_kind(TERRAFORM / "envs" / environment, "output")}


def _module(environment: str) -> dict[str, Any]:
    found = of_kind(TERRAFORM / "envs" / environment, "module")
    return next(block.body for block in found if block.name == "app_settings")


@cache
def read_by_platform() -> dict[str, str]:
    """Name of each variable → the file that reads it."""
    found = dict.fromkeys(BUCKETS, "project/object_storage.py") | {"ESTEIRA_SIGNING_KEY": "project/kept_secret.py"}
    for reader in READERS:
        file: Path = ROOT / "project" / f"{reader}.py"
        for name in NAME.findall(file.read_text(encoding="utf-8")):
            found.setdefault(name, f"project/{reader}.py")
    return found


def needed_on_aws() -> set[str]:
    """What stops the process, or sends nothing to AWS, where it is missing."""
    text = (ROOT / "project/aws_cell.py").read_text(encoding="utf-8")
    needed = set(re.findall(r'_(?:fit|queue)\("(ESTEIRA_[A-Z_]+)"', text))
    return (needed | BUCKETS) - {"ESTEIRA_AWS_ENDPOINT", "ESTEIRA_BATCH_GPU_QUEUE"}


def render() -> str:
    prod, staging = (settings(name) for name in reversed(ENVIRONMENTS))
    rows = [
        (f"`{name}`", f"`{read_by_platform()[name]}`", f"`{_said(prod[name])}`", _differs(prod[name], staging[name]))
        for name in prod
    ]
    others = [(f"`{name}`", who) for name, who in sorted((OTHERS | OF_RELEASES).items())]
    made = [(f"`{name}`", said) for name, said in outputs("prod").items()]
    parts = [
        _HEAD,
        _SETTINGS,
        _table(("setting", "read by", "value in prod", "in staging"), rows),
        "## Settings that come from elsewhere",
        _table(("setting", "from"), others),
        _OUTPUTS,
        _table(("output", ""), made),
    ]
    return "\n\n".join(parts) + "\n"


def _said(value: Any) -> str:
    """An expression without its braces, where it is nothing else."""
    said = str(value)
    return said[2:-1] if said.startswith("${") and said.endswith("}") and said.count("${") == 1 else said


def _differs(prod: Any, staging: Any) -> str:
    return "the same" if prod == staging else f"`{_said(staging)}`"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
