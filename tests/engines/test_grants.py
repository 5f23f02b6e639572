"""What the engine's process may need to be allowed: every call of it, and nothing that only the machine may do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from orchestration.engines.step_functions.compile import job_name
from tests.engines.calls import Grant
from tests.engines.cloud import MANIFESTS, spec_of
from tests.engines.test_redrive import redrives
from tests.engines.test_start import FAN_OUT
from tests.factories import make_file, make_job, publish_pipeline

if TYPE_CHECKING:
    from orchestration.models import Job, User, Workspace
    from tests.engines.cloud import Cloud

PLACE: Final = "eu-west-1:123456789012"
WORKER: Final = [
    Grant("batch:DescribeComputeEnvironments", "*"),
    Grant("batch:DescribeJobDefinitions", "*"),
    Grant("batch:DescribeJobQueues", "*"),
    Grant("batch:DescribeJobs", "*"),
    Grant("batch:ListJobs", "*"),
    Grant("batch:RegisterJobDefinition", f"arn:aws:batch:{PLACE}:job-definition/esteira-*"),
    Grant("batch:TagResource", f"arn:aws:batch:{PLACE}:job-definition/esteira-*"),
    Grant("batch:TerminateJob", f"arn:aws:batch:{PLACE}:job/*"),
    Grant("iam:PassRole", "arn:aws:iam::123456789012:role/esteira-steps"),
    Grant("s3:PutObject", f"arn:aws:s3:::{MANIFESTS}/runs/*"),
    Grant("states:DescribeExecution", f"arn:aws:states:{PLACE}:execution:esteira:*"),
    Grant("states:ListExecutions", f"arn:aws:states:{PLACE}:stateMachine:esteira"),
    Grant("states:RedriveExecution", f"arn:aws:states:{PLACE}:execution:esteira:*"),
    Grant("states:StartExecution", f"arn:aws:states:{PLACE}:stateMachine:esteira"),
    Grant("states:StopExecution", f"arn:aws:states:{PLACE}:execution:esteira:*"),
]


@pytest.mark.django_db
def test_everything_the_engine_does_needs_these_and_no_more(cloud: Cloud, owner: User, lab: Workspace) -> None:
    """A client that called for something that `calls` has no row for would fail here by its name."""
    job: Job = make_job(owner, lab, publish_pipeline(FAN_OUT), inputs=[make_file(lab, owner)], state="QUEUED")
    spec = spec_of(job, "one")
    cloud.engine.start(spec)
    cloud.batch.add("one", job_name(spec, "each"), cloud.cell.queue)
    cloud.engine.report([spec], looks=1)
    cloud.engine.open_executions()
    cloud.with_queue(4).capacity()
    cloud.engine.stop(spec, reason="r")
    redrives(cloud, 200)
    cloud.engine.start(replace(spec, again=True))

    assert cloud.calls.granted() == WORKER
