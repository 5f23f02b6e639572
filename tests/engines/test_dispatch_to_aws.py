"""The dispatcher and the engine on AWS: handed over once, later with the reason shown, or failed by the platform."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from orchestration.engines.registry import get_engine
from orchestration.execution.dispatch import CLAIM_LASTS, dispatch
from orchestration.models import Job
from orchestration.states import JobState
from tests.engines.wire import Fate
from tests.factories import make_file
from tests.orchestration.play import submitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud

pytestmark = pytest.mark.django_db


@pytest.fixture
def on_aws(cloud: Cloud, settings: Settings) -> Iterator[Cloud]:
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(cloud.cell)
    get_engine.cache_clear()
    engine = get_engine("aws")
    assert engine.cell == cloud.cell  # type: ignore[attr-defined]
    cloud.engine = cloud.watched(engine)  # type: ignore[arg-type]
    yield cloud
    get_engine.cache_clear()


def found_again(job: Job) -> Job:
    Job.objects.filter(pk=job.pk).update(claimed_at=timezone.now() - CLAIM_LASTS)
    job.refresh_from_db()
    return job


def test_job_is_handed_over_once(on_aws: Cloud, owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    dispatch()
    job.refresh_from_db()

    assert job.execution is not None
    assert (job.execution.engine, job.execution.external_ref) == ("aws", on_aws.executions()[0]["executionArn"])
    assert [one["name"] for one in on_aws.executions()] == [job.execution_name]


@pytest.mark.parametrize("fate", [Fate.THROTTLED, Fate.BROKEN, Fate.NO_WAY, Fate.LOST_REPLY])
def test_job_waits_for_aws_and_says_so_and_then_starts_once(
    on_aws: Cloud, owner: User, lab: Workspace, fate: Fate
) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    on_aws.wire("StartExecution", [fate] * 3)
    dispatch()
    job = found_again(job)
    assert (job.state, job.execution, job.waiting_reason) == (JobState.QUEUED, None, "platform")
    assert job.waiting_detail.startswith("Waiting for AWS.")

    dispatch()
    job.refresh_from_db()
    assert job.execution is not None
    assert len(on_aws.executions()) == 1


def test_job_that_aws_refuses_has_failed_by_the_platform(on_aws: Cloud, owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    on_aws.wire("StartExecution", itertools.repeat(Fate.INVALID))
    dispatch()
    job.refresh_from_db()

    assert (job.state, job.failure_kind) == (JobState.FAILED, "PLATFORM")
    assert "InvalidName" in job.failure_detail
