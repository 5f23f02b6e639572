"""What the engine on AWS stands on: missing, switched off or broken, it is named."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from orchestration.findings import ERROR, OK, SKIPPED, WARNING
from tests.engines.cloud import Cloud
from tests.engines.cloud import cloud as opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from orchestration.findings import Finding

type Look = Callable[[str], dict[str, Finding]]


@pytest.fixture
def cloud(settings: Settings) -> Iterator[Cloud]:
    """All that Terraform makes."""
    with opened() as made:
        engine = made.with_queue(16, 64)
        made.client("logs").create_log_group(logGroupName=made.cell.log_group)
        use(settings, replace(made.cell, queue=engine.cell.queue, gpu_queue=""))
        yield made


def use(settings: Settings, cell: Any) -> None:
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(cell)


def test_estate_that_is_well(cloud: Cloud, look: Look) -> None:
    found = look("engine")
    assert {finding.level for finding in found.values()} == {OK}, found
    assert found["compute environments"].said == "2, up to 80 vCPUs"


def test_state_machine_of_another_environment(cloud: Cloud, look: Look, settings: Settings) -> None:
    settings.AWS_CELL["state_machine"] += "-of-yesterday"
    bad = look("engine")["state machine"]
    assert bad.level == ERROR
    assert bad.command.startswith("aws stepfunctions describe-state-machine")


def test_queue_that_is_gone(cloud: Cloud, look: Look, settings: Settings) -> None:
    settings.AWS_CELL["queue"] += "-gone"
    found = look("engine")
    assert found["queues"].said == "There is no job queue esteira-standard-gone."
    assert "compute environments" not in found
    assert found["logs"].level == OK


def test_queue_that_is_switched_off(cloud: Cloud, look: Look) -> None:
    cloud.client("batch").update_job_queue(jobQueue="esteira-standard", state="DISABLED")
    bad = look("engine")["queues"]
    assert (bad.level, bad.said) == (WARNING, "The job queue esteira-standard is switched off: jobs wait.")


def test_compute_environment_that_is_switched_off(cloud: Cloud, look: Look) -> None:
    cloud.client("batch").update_compute_environment(computeEnvironment="place-64", state="DISABLED")
    assert look("engine")["compute environments"].said.startswith("The compute environment place-64 is switched off")


def test_log_group_that_is_gone(cloud: Cloud, look: Look) -> None:
    cloud.client("logs").delete_log_group(logGroupName="/esteira/steps")
    assert look("engine")["logs"].said == "There is no log group /esteira/steps: steps cannot start."


def test_queue_of_events(cloud: Cloud, look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert look("work")["events"].level == SKIPPED
    sqs = boto3.client("sqs", region_name="eu-west-1")
    settings.EVENTS_QUEUE = sqs.create_queue(QueueName="status")["QueueUrl"]
    sqs.send_message(QueueUrl=settings.EVENTS_QUEUE, MessageBody="x")
    assert look("work")["events"].said == "about 1 wait in the queue of the engine's events"
    sqs.delete_queue(QueueUrl=settings.EVENTS_QUEUE)
    bad = look("work")["events"]
    assert (bad.level, bad.said[:24]) == (ERROR, "The queue of events says")
