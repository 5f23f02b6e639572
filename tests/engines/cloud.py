"""One cell on moto, with Batch's jobs, the calls that were made and the faults of the way there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import boto3
import botocore.endpoint
from moto import mock_aws

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.step_functions.adapter import StepFunctionsEngine
from orchestration.engines.step_functions.cell import Cell
from tests.engines.batch_jobs import BatchJobs
from tests.engines.calls import ACCOUNT, Calls
from tests.engines.wire import Fate, Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestration.models import Job

REGION: Final = "eu-west-1"
IMAGE: Final = f"platform@sha256:{'a' * 64}"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/esteira-machine"
MANIFESTS: Final = "esteira-manifests"
BATCH: Final = {"RegisterJobDefinition", "DescribeJobDefinitions"}


@dataclass(slots=True)
class Cloud:
    cell: Cell
    engine: StepFunctionsEngine
    calls: Calls
    batch: BatchJobs = field(default_factory=BatchJobs)

    def client(self, service: Any) -> Any:
        """Past the engine, as an administrator."""
        return boto3.client(service, region_name=REGION)

    def executions(self) -> list[dict[str, Any]]:
        pages = self.client("stepfunctions").get_paginator("list_executions")
        return [one for page in pages.paginate(stateMachineArn=self.cell.state_machine) for one in page["executions"]]

    def definitions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client("batch").describe_job_definitions()["jobDefinitions"]
        return found

    def another_engine(self) -> StepFunctionsEngine:
        """Of another process."""
        return self.watched(StepFunctionsEngine(self.cell))

    def with_queue(self, *vcpus: int) -> StepFunctionsEngine:
        """An engine whose queue moto really has, with a compute environment for each number of processors."""
        role = self.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        profile = self.client("iam").create_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Arn"]
        batch, ec2 = self.client("batch"), self.client("ec2")
        inside: dict[str, Any] = {
            "type": "EC2",
            "minvCpus": 0,
            "instanceTypes": ["optimal"],
            "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
            "securityGroupIds": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
            "instanceRole": profile,
        }
        order = [{"order": number, "computeEnvironment": f"place-{most}"} for number, most in enumerate(vcpus, start=1)]
        for most in vcpus:
            batch.create_compute_environment(
                computeEnvironmentName=f"place-{most}",
                type="MANAGED",
                state="ENABLED",
                serviceRole=role,
                computeResources=inside | {"maxvCpus": most},
            )
        queue = batch.create_job_queue(
            jobQueueName="esteira-standard", state="ENABLED", priority=1, computeEnvironmentOrder=order
        )["jobQueueArn"]
        return self.watched(StepFunctionsEngine(replace(self.cell, queue=queue, gpu_queue="")))

    def watched(self, engine: StepFunctionsEngine) -> StepFunctionsEngine:
        for service in ("stepfunctions", "batch", "s3"):
            self.calls.watch(engine.clients[service])
        self.batch.answer(engine.clients["batch"])
        return engine

    def wire(self, operation: str, fates: Iterable[Fate], *engines: StepFunctionsEngine) -> Wire:
        """Fates of the tries of one operation, one after the other, whoever tries; then all get through."""
        left = iter(fates)
        wire = Wire(operation, lambda: next(left, Fate.THROUGH))
        for engine in engines or (self.engine,):
            wire.between(engine.clients["batch" if operation in BATCH else "stepfunctions"])
        return wire


@contextmanager
def cloud() -> Iterator[Cloud]:
    with (
        mock_aws(config={"batch": {"use_docker": False}}),
        # What waits here is botocore, between its tries.
        mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None)),
    ):
        machine = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
            name="esteira", definition='{"StartAt":"End","States":{"End":{"Type":"Succeed"}}}', roleArn=ROLE
        )
        place: Any = {"LocationConstraint": REGION}
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=MANIFESTS, CreateBucketConfiguration=place)
        queue = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue"
        cell = Cell(
            state_machine=machine["stateMachineArn"],
            queue=f"{queue}/esteira-standard",
            gpu_queue=f"{queue}/esteira-gpu",
            image=IMAGE,
            log_group="/esteira/steps",
            server="https://esteira.example",
            manifests=f"s3://{MANIFESTS}/runs",
            execution_role=f"arn:aws:iam::{ACCOUNT}:role/esteira-steps",
        )
        made = Cloud(cell, StepFunctionsEngine(cell), Calls())
        made.watched(made.engine)
        yield made


def spec_of(job: Job, *pieces: str) -> ExecutionSpec:
    return ExecutionSpec(name=job.execution_name, job_id=job.pk, run=job.run, pieces=pieces)
