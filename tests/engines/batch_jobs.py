"""Batch's jobs as AWS shows and ends them: moto has neither the calls in bulk nor jobs that go on."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

OVER: Final = {"SUCCEEDED", "FAILED"}
PAGE: Final = 100
MOST_DESCRIBED: Final = 100
MOST_TERMINATED: Final = 50


@dataclass(slots=True)
class BatchJobs:
    """`stubborn` jobs take so many terminations before they end; `errors` are answered for a job, once each."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stubborn: dict[str, int] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """From lists, which may be behind."""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def add(self, job_id: str, name: str, queue: str, status: str = "RUNNING", **more: Any) -> None:
        self.jobs[job_id] = {"jobId": job_id, "jobName": name, "jobQueue": queue, "status": status} | more

    def running(self) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job["status"] not in OVER]

    def answer(self, client: Any) -> None:
        for operation, reply in (
            ("ListJobs", self._list),
            ("DescribeJobs", self._describe),
            ("TerminateJobs", self._terminate),
        ):
            client.meta.events.register(f"before-call.batch.{operation}", self._answering(reply))

    def _answering(self, reply: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        def answer(params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]]:
            with self._one_at_a_time:
                said = reply(json.loads(params["body"]))
            status = 400 if "Error" in said else 200
            said["ResponseMetadata"] = {"HTTPStatusCode": status, "RequestId": "r", "RetryAttempts": 0}
            return AWSResponse("", status, HTTPHeaders(), None), said

        return answer

    def _list(self, asked: dict[str, Any]) -> dict[str, Any]:
        (one,) = asked["filters"]
        (value,) = one["values"]
        if one["name"] != "JOB_NAME" or not value.endswith("*"):
            return _refused("only names by their beginning are asked for here")
        found = [
            {key: job[key] for key in ("jobId", "jobName", "status")}
            for job in self.jobs.values()
            if job["jobQueue"] == asked["jobQueue"]
            and job["jobName"].lower().startswith(value[:-1].lower())
            and ":" not in job["jobId"]
            and job["jobId"] not in self.hidden
        ]
        begin = int(asked.get("nextToken", 0))
        more = {"nextToken": str(begin + PAGE)} if begin + PAGE < len(found) else {}
        return {"jobSummaryList": found[begin : begin + PAGE]} | more

    def _describe(self, asked: dict[str, Any]) -> dict[str, Any]:
        if len(asked["jobs"]) > MOST_DESCRIBED:
            return _refused("too many jobs in one description")
        return {"jobs": [dict(self.jobs[job_id]) for job_id in asked["jobs"] if job_id in self.jobs]}

    def _terminate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if len(asked["jobs"]) > MOST_TERMINATED:
            return _refused("too many jobs in one termination")
        errors = [
            {"job": job_id, "code": codes.pop(0), "message": "Not now."}
            for job_id in asked["jobs"]
            if (codes := self.errors.get(job_id))
        ]
        done = [job_id for job_id in asked["jobs"] if job_id not in {error["job"] for error in errors}]
        for job_id in done:
            self._end(job_id, asked["reason"])
        return {"successful": done, "errors": errors}

    def _end(self, job_id: str, reason: str) -> None:
        if self.stubborn.get(job_id, 0) > 0:
            self.stubborn[job_id] -= 1
            return
        for known, job in self.jobs.items():
            if known.partition(":")[0] == job_id and job["status"] not in OVER:
                job |= {"status": "FAILED", "statusReason": reason, "isTerminated": True}


def _refused(message: str) -> dict[str, Any]:
    return {"Error": {"Code": "ClientException", "Message": message}}
