"""Executes the state machine: moto interprets it, and Batch is a script of what becomes of each job.

moto lacks an evaluator for JSONata and the change of case between Step Functions' arguments and Batch's, and it leaves
out two arguments that AWS hands on; these are patched in here. botocore checks every call to Batch as it would on
AWS, and nothing really waits.
"""

from __future__ import annotations

import itertools
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from jsonata import Jsonata
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_batch,
    state_task_service_callback,
)
from moto.stepfunctions.parser.asl.jsonata import jsonata as evaluator

import orchestration.engines.step_functions as engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MACHINE: Final = Path(engine.__file__).with_name("pipeline.asl.json")
FOR_EVER: Final = "for ever"
_REGION: Final = "eu-west-1"
_ROLE: Final = "arn:aws:iam::123456789012:role/machine"
_LONGEST_S: Final = 30.0
_Service: Final = state_task_service_batch.StateTaskServiceBatch
_HANDED_ON: Final = state_task_service_batch._SUPPORTED_API_PARAM_BINDINGS["submitjob"] | {
    "ShareIdentifier",
    "SchedulingPriorityOverride",
}


@dataclass(slots=True)
class ScriptedBatch:
    """How submissions are answered and jobs end, by step; a step without a script succeeds at once.

    `refusals` are error codes, one for each call; a failure is how many children of the array failed, 0 for a
    single job, or FOR_EVER for a job that does not end.
    """

    refusals: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, int | str] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        """Of every call of SubmitJob, those refused too."""
        return [_step_of(job["jobName"]) for job in self.submitted]

    def client(self, **_: object) -> Any:
        client = boto3.client("batch", region_name=_REGION, aws_access_key_id="a", aws_secret_access_key="b")
        client.meta.events.register("before-call.batch.SubmitJob", self._submit)
        client.meta.events.register("before-call.batch.DescribeJobs", self._describe)
        return client

    def _submit(self, params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        job = json.loads(params["body"])
        self.submitted.append(job)
        if refusals := self.refusals.get(_step_of(job["jobName"])):
            return answered({"Error": {"Code": refusals.pop(0), "Message": "Not now."}}, status=429)
        return answered({"jobName": job["jobName"], "jobId": f"id-of-{job['jobName']}"})

    def _describe(self, params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        (job_id,) = json.loads(params["body"])["jobs"]
        job = next(job for job in self.submitted if job["jobName"] == job_id.removeprefix("id-of-"))
        ends = self.failures.get(_step_of(job["jobName"]))
        status = {None: "SUCCEEDED", FOR_EVER: "RUNNING"}.get(ends if not isinstance(ends, int) else "", "FAILED")
        described = {"jobId": job_id, "jobName": job["jobName"], "status": status, "container": _LARGE}
        if "arrayProperties" in job:
            size = job["arrayProperties"]["size"]
            failed = ends if isinstance(ends, int) else 0
            summary = {"SUCCEEDED": size - failed, "FAILED": failed, "RUNNING": 0}
            described["arrayProperties"] = {"size": size, "statusSummary": summary}
        return answered({"jobs": [described]})


@dataclass(frozen=True, slots=True)
class Ended:
    status: str
    output: dict[str, Any]
    error: str
    cause: str
    entered: list[str]
    """Names of the states, in the order in which they were entered."""
    payloads: list[str]
    """What the states hand on, as the history holds it."""
    events: int


def execute(given: dict[str, Any], batch: ScriptedBatch) -> Ended:
    with _mocked(batch):
        client = boto3.client("stepfunctions", region_name=_REGION)
        machine = client.create_state_machine(name="pipeline", definition=MACHINE.read_text(), roleArn=_ROLE)
        execution = client.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(given))
        said = _wait(client, execution["executionArn"])
        history = client.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)["events"]
    details = [event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") for event in history]
    return Ended(
        status=said["status"],
        output=json.loads(said.get("output") or "{}"),
        error=said.get("error", ""),
        cause=said.get("cause", ""),
        entered=[event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event],
        payloads=[detail.get("output", "") for detail in details if detail],
        events=len(history),
    )


@contextmanager
def _mocked(batch: ScriptedBatch) -> Iterator[None]:
    with (
        mock_aws(config={"stepfunctions": {"execute_state_machine": True}}),
        interpreter(batch.client, look_s=0.01),
        mock.patch.object(retrier_decl, "time", SimpleNamespace(sleep=batch.waits.append)),
    ):
        yield


@contextmanager
def interpreter(client: Callable[..., Any], *, look_s: float) -> Iterator[None]:
    """Of machines like ours: what moto lacks is patched in. `client` makes the one to Batch, asked every `look_s`."""
    with (
        mock.patch.object(evaluator, "_eval_jsonata", _evaluate),
        mock.patch.object(_Service, "_normalise_parameters", _to_batch),
        mock.patch.object(_Service, "_normalise_response", _from_batch),
        mock.patch.dict(state_task_service_batch._SUPPORTED_API_PARAM_BINDINGS, submitjob=_HANDED_ON),
        mock.patch.object(state_task_service_batch, "boto_client_for", client),
        mock.patch.object(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", look_s),
    ):
        yield


def _evaluate(expression: str) -> Any:
    return Jsonata(expression).evaluate(None)


def _to_batch(self: Any, parameters: dict[str, Any], *_: object, **__: object) -> None:
    self._to_boto_request(parameters, _shape("SubmitJob").input_shape)


def _from_batch(self: Any, response: Any, *_: object, service_action_name: str = "submit_job") -> None:
    operation = {"submit_job": "SubmitJob", "describe_jobs": "DescribeJobs"}[service_action_name]
    self._from_boto_response(response, _shape(operation).output_shape)


@cache
def _shape(operation: str) -> Any:
    client: Any = boto3.client("batch", region_name=_REGION)
    return client.meta.service_model.operation_model(operation)


def answered(parsed: dict[str, Any], *, status: int = 200) -> tuple[AWSResponse, dict[str, Any]]:
    parsed["ResponseMetadata"] = {"HTTPStatusCode": status, "RequestId": "r", "RetryAttempts": 0}
    return AWSResponse("", status, HTTPHeaders(), None), parsed


def _wait(client: Any, arn: str) -> dict[str, Any]:
    until = time.monotonic() + _LONGEST_S
    while time.monotonic() < until:
        said: dict[str, Any] = client.describe_execution(executionArn=arn)
        if said["status"] != "RUNNING":
            return said
        time.sleep(0.02)
    raise AssertionError(f"the execution still runs after {_LONGEST_S} s")


def _step_of(name: str) -> str:
    """Batch jobs of the tests are called `<anything>-<step>`, and their steps have no hyphen."""
    return name.rpartition("-")[2]


# A description is as long as this and longer; none of it may be carried on.
_LARGE: Final = {"image": "i" * 20_000, "command": list(itertools.repeat("word", 100))}
