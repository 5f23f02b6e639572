"""The engine on AWS is described whole or the process does not start."""

from __future__ import annotations

from typing import Final

import pytest

from orchestration.engines.step_functions.cell import Cell
from project import aws_cell, env

PLACE: Final = "eu-west-1:123456789012"
DIGEST: Final = f"sha256:{'a' * 64}"
GIVEN: Final = {
    "ESTEIRA_STATE_MACHINE": f"arn:aws:states:{PLACE}:stateMachine:esteira",
    "ESTEIRA_BATCH_QUEUE": f"arn:aws:batch:{PLACE}:job-queue/esteira-standard",
    "ESTEIRA_BATCH_IMAGE": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/esteira/steps@{DIGEST}",
    "ESTEIRA_BATCH_LOG_GROUP": "/esteira/steps",
    "ESTEIRA_MANIFESTS": "s3://esteira-prod-work/manifests",
}
MORE: Final = {
    "ESTEIRA_BATCH_GPU_QUEUE": f"arn:aws:batch:{PLACE}:job-queue/esteira-gpu",
    "ESTEIRA_BATCH_SPOT_QUEUE": f"arn:aws:batch:{PLACE}:job-queue/esteira-spot",
    "ESTEIRA_BATCH_EXECUTION_ROLE": "arn:aws:iam::123456789012:role/esteira/steps",
    "ESTEIRA_AWS_ENDPOINT": "http://127.0.0.1:5000/",
    "ESTEIRA_RUNNER_URL": "https://inside.example",
    "ESTEIRA_BATCH_PREFIX": "esteira-prod",
    "ESTEIRA_BATCH_FAIR_SHARE": "true",
    "ESTEIRA_BATCH_PLATFORM": "FARGATE",
}


def read(monkeypatch: pytest.MonkeyPatch, **given: str) -> Cell:
    for name in GIVEN.keys() | MORE.keys():
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return Cell(**aws_cell.read("https://esteira.example"))


def test_what_terraform_made_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = read(monkeypatch, **GIVEN)

    assert (cell.region, cell.server, cell.prefix) == ("eu-west-1", "https://esteira.example", "esteira")
    assert (cell.gpu_queue, cell.execution_role, cell.endpoint, cell.fair_share) == ("", "", "", "")
    assert cell.queues == (GIVEN["ESTEIRA_BATCH_QUEUE"],)
    assert cell.execution("x-r1") == f"arn:aws:states:{PLACE}:execution:esteira:x-r1"


def test_everything_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = read(monkeypatch, **GIVEN, **MORE)

    assert len(cell.queues) == 3
    assert cell.endpoint == "http://127.0.0.1:5000"
    assert cell.fair_share
    assert cell.platform == "FARGATE"
    assert (cell.server, cell.prefix) == ("https://inside.example", "esteira-prod")


def test_fargate_has_no_machine_whose_role_pulls_images(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(env.BadSetting, match="ESTEIRA_BATCH_EXECUTION_ROLE"):
        read(monkeypatch, **GIVEN, ESTEIRA_BATCH_PLATFORM="FARGATE")
    assert read(monkeypatch, **GIVEN).platform == "EC2"


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_what_is_missing_ends_the_process(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(env.BadSetting, match=name):
        read(monkeypatch, **{given: value for given, value in GIVEN.items() if given != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ESTEIRA_STATE_MACHINE", "esteira"),
        ("ESTEIRA_STATE_MACHINE", f"arn:aws:states:{PLACE}:execution:esteira:x"),
        ("ESTEIRA_BATCH_QUEUE", "standard"),
        ("ESTEIRA_BATCH_QUEUE", "arn:aws:batch:eu-west-2:123456789012:job-queue/standard"),
        ("ESTEIRA_BATCH_QUEUE", "arn:aws:batch:eu-west-1:999999999999:job-queue/standard"),
        ("ESTEIRA_BATCH_GPU_QUEUE", "arn:aws:batch:eu-west-2:123456789012:job-queue/gpu"),
        ("ESTEIRA_BATCH_SPOT_QUEUE", "spot"),
        ("ESTEIRA_BATCH_IMAGE", "esteira/steps:latest"),
        ("ESTEIRA_BATCH_LOG_GROUP", "a group"),
        ("ESTEIRA_BATCH_EXECUTION_ROLE", "role"),
        ("ESTEIRA_MANIFESTS", "s3://bucket"),
        ("ESTEIRA_MANIFESTS", "/folder"),
        ("ESTEIRA_AWS_ENDPOINT", "127.0.0.1:5000"),
        ("ESTEIRA_RUNNER_URL", "inside"),
        ("ESTEIRA_BATCH_PREFIX", "Esteira"),
        ("ESTEIRA_BATCH_FAIR_SHARE", "perhaps"),
        ("ESTEIRA_BATCH_PLATFORM", "fargate"),
        ("ESTEIRA_BATCH_PREFIX", "a" * 21),
    ],
)
def test_what_cannot_be_ends_the_process(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(env.BadSetting, match=name):
        read(monkeypatch, **(GIVEN | {name: value}))
