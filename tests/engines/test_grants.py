"""All that the worker does with the engine on AWS, so that what it needs is in deploy/iam/grants.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from orchestration.engines.step_functions.compile import job_name
from orchestration.engines.step_tokens import StepRight
from orchestration.execution.dispatch import dispatch
from orchestration.execution.stopping import AGAIN, SETTLES, stop_unwanted
from orchestration.execution.sweep import reconcile
from orchestration.models import Execution, Job
from orchestration.services.claims import Container, claim
from orchestration.services.jobs import Request, cancel, submit
from tests.engines.cloud import spec_of
from tests.engines.test_dispatch_to_aws import on_aws
from tests.engines.test_start import FAN_OUT
from tests.factories import make_file, publish_pipeline
from tests.grants.plugin import RECORD
from tests.orchestration.test_claims import play

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud

__all__ = ["on_aws"]  # a fixture
pytestmark = pytest.mark.django_db


def test_worker_asks_for_its_actions_and_nobody_else_does(on_aws: Cloud, owner: User, lab: Workspace) -> None:
    version = publish_pipeline(FAN_OUT)
    files = tuple(make_file(lab, owner).pk for _ in range(2))
    job, _ = submit(user=owner, request=Request(str(version), files, {}))
    dispatch()
    job.refresh_from_db()
    given = claim(right=StepRight.of(job, "each", per_child=1), container=Container("one:0", 1, 0))
    on_aws.batch.add("one", job_name(spec_of(job, "one"), "each"), on_aws.cell.queue)
    reconcile()
    cancel(user=owner, job=Job.objects.get(pk=job.pk))
    play(given, "canceled")
    stop_unwanted()
    long_ago = timezone.now() - 2 * (SETTLES + AGAIN)
    Execution.objects.update(stop_asked_at=long_ago, stop_heard_at=long_ago, stop_tried_at=long_ago)
    stop_unwanted()

    by_worker = {grant.action for grant in RECORD.asked if grant.process == "worker"}
    assert {
        "batch:DescribeJobDefinitions",
        "batch:DescribeJobs",
        "batch:ListJobs",
        "batch:RegisterJobDefinition",
        "batch:TagResource",
        "batch:TerminateJob",
        "iam:PassRole",
        "s3:PutObject",
        "states:DescribeExecution",
        "states:StartExecution",
        "states:StopExecution",
    } <= by_worker
    assert not [str(grant) for grant in RECORD.asked if grant.action == "batch:SubmitJob" and grant.process == "worker"]
