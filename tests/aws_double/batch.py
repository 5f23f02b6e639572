"""A Batch that runs each job as a process of this machine, tries it again by its rules, and tells what AWS would.

What it cannot have in common with Batch is the container: the command of the job definition is run here, with paths of
this machine for those of the image. Of an image there may be a folder of programs, which then come first in PATH.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from copy import deepcopy
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.aws_double.containers import kill, stop
from tests.aws_double.rules import is_tried_again

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ACCOUNT: Final = "123456789012"
OVER: Final = frozenset({"SUCCEEDED", "FAILED"})
PAGE: Final = 100
MOST_DESCRIBED: Final = 100
MOST_TERMINATED: Final = 50
SLOTS: Final = 4
HOST_GONE: Final = "Host EC2 (instance i-0123456789abcdef0) terminated."


class Refused(Exception):
    """ClientException, as Batch says it."""


def _now_ms() -> int:
    return int(time.time() * 1000)


@dataclass(slots=True)
class Job:
    """A job, or a child of an array, or the array as a whole, which has children and runs nothing."""

    id: str
    asked: dict[str, Any]
    definition: dict[str, Any]
    index: int | None = None
    status: str = "SUBMITTED"
    reason: str = ""
    is_terminated: bool = False
    tries: list[dict[str, Any]] = field(default_factory=list)
    children: list[Job] = field(default_factory=list)
    created_at: int = field(default_factory=_now_ms)
    started_at: int = 0
    stopped_at: int = 0
    process: subprocess.Popen[bytes] | None = None
    gone: str = ""
    """Why the machine under the process went away, once it has."""

    def described(self) -> dict[str, Any]:
        said = {
            "jobId": self.id,
            "jobName": self.asked["jobName"],
            "jobArn": f"arn:aws:batch:eu-west-1:{ACCOUNT}:job/{self.id}",
            "jobQueue": self.asked["jobQueue"],
            "jobDefinition": self.asked["jobDefinition"],
            "status": self.status,
            "createdAt": self.created_at,
            "attempts": deepcopy(self.tries),
            "isTerminated": self.is_terminated,
            "container": {"environment": self.environment(), "logStreamName": f"esteira/{self.id}"},
        }
        times = {"startedAt": self.started_at, "stoppedAt": self.stopped_at}
        said |= {name: at for name, at in times.items() if at}
        said |= {"statusReason": self.reason} if self.reason else {}
        if self.children:
            summary: dict[str, int] = {}
            for child in self.children:
                summary[child.status] = summary.get(child.status, 0) + 1
            said["arrayProperties"] = {"size": len(self.children), "statusSummary": summary}
        elif self.index is not None:
            said["arrayProperties"] = {"index": self.index}
        return said

    def environment(self) -> list[dict[str, str]]:
        given: list[dict[str, str]] = self.definition["containerProperties"].get("environment", [])
        # Copies: who is answered may change what he was given.
        return [dict(one) for one in (*given, *self.asked.get("containerOverrides", {}).get("environment", []))]


class Batch:
    """`definition` finds a job definition by its ARN; `paths` are those of this machine for those of an image."""

    def __init__(self, folder: Path, definition: Callable[[str], dict[str, Any]], paths: Mapping[str, str]) -> None:
        self._folder, self._definition, self._paths = folder, definition, paths
        self._jobs: dict[str, Job] = {}
        self._changing = threading.RLock()
        self._slots = threading.BoundedSemaphore(SLOTS)
        self.is_held = False
        """Nothing is started: all that comes stays RUNNABLE."""
        self._news: list[dict[str, Any]] = []

    # -- what Batch is asked ---------------------------------------------------------------------------------------

    def submit(self, asked: dict[str, Any]) -> dict[str, Any]:
        job = Job(str(uuid4()), asked, self._definition(asked["jobDefinition"]))
        size = asked.get("arrayProperties", {}).get("size", 0)
        job.children = [Job(f"{job.id}:{n}", asked, job.definition, n, "PENDING") for n in range(size)]
        with self._changing:
            for one in (job, *job.children):
                self._jobs[one.id] = one
        for one in job.children or [job]:
            threading.Thread(target=self._work, args=(one, job), daemon=True).start()
        return {"jobId": job.id, "jobName": asked["jobName"], "jobArn": job.described()["jobArn"]}

    def describe(self, asked: dict[str, Any]) -> dict[str, Any]:
        if len(asked["jobs"]) > MOST_DESCRIBED:
            raise Refused(f"at most {MOST_DESCRIBED} jobs are described at once")
        with self._changing:
            return {"jobs": [self._jobs[one].described() for one in asked["jobs"] if one in self._jobs]}

    def listed(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self._changing:
            found = [job for job in self._jobs.values() if _is_listed(job, asked)]
        begin = int(asked.get("nextToken") or 0)
        more = {"nextToken": str(begin + PAGE)} if begin + PAGE < len(found) else {}
        fields = ("jobId", "jobArn", "jobName", "status", "createdAt")
        shown = [{name: job.described()[name] for name in fields} for job in found[begin : begin + PAGE]]
        return {"jobSummaryList": shown} | more

    def terminate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if len(asked["jobs"]) > MOST_TERMINATED:
            raise Refused(f"at most {MOST_TERMINATED} jobs are terminated at once")
        with self._changing:
            for one in asked["jobs"]:
                self._terminate(self._jobs[one], asked["reason"])
        return {"successful": list(asked["jobs"]), "errors": []}

    # -- what befalls its jobs -------------------------------------------------------------------------------------

    def interrupt(self, name: str) -> int:
        """The machines under the running jobs whose name contains `name`, or whose id it is, go away. How many."""
        with self._changing:
            running = [
                job for job in self._jobs.values() if job.process and (name in job.asked["jobName"] or name == job.id)
            ]
            for job in running:
                if job.process:
                    job.gone = HOST_GONE
                    kill(job.process.pid)
        return len(running)

    def complain(self, reason: str) -> int:
        """Of all jobs in the queue Batch says why they stand there. How many they are."""
        with self._changing:
            waiting = [job for job in self._jobs.values() if job.status == "RUNNABLE"]
            for job in waiting:
                job.reason = reason
                self._news.append(job.described())
        return len(waiting)

    def running(self) -> int:
        with self._changing:
            return sum(job.process is not None for job in self._jobs.values())

    def unfinished(self, name: str) -> int:
        """Running, or in the queue; of those whose name contains `name`."""
        with self._changing:
            return sum(job.status not in OVER for job in self._jobs.values() if name in job.asked["jobName"])

    def news(self, after: int) -> list[dict[str, Any]]:
        """What the event bus would have told by now, without the first `after`."""
        with self._changing:
            return self._news[after:]

    def submitted(self) -> list[str]:
        with self._changing:
            return [job.asked["jobName"] for job in self._jobs.values() if job.index is None]

    def arrays(self) -> dict[str, int]:
        """How many children those have that are arrays."""
        with self._changing:
            return {job.asked["jobName"]: len(job.children) for job in self._jobs.values() if job.children}

    def forget(self, name: str) -> None:
        """As after 7 days: no list and no description shows the jobs that ended, by their name's beginning."""
        with self._changing:
            old = [one for one, job in self._jobs.items() if job.asked["jobName"].startswith(name)]
            for one in old:
                if self._jobs[one].status in OVER:
                    del self._jobs[one]

    def close(self) -> None:
        with self._changing:
            for job in self._jobs.values():
                self._terminate(job, "The test is over.")

    # -- a job's life ----------------------------------------------------------------------------------------------

    def _work(self, job: Job, whole: Job) -> None:
        retry = job.asked.get("retryStrategy") or job.definition.get("retryStrategy") or {}
        for number in range(1, retry.get("attempts", 1) + 1):
            self._move(job, whole, "RUNNABLE")
            while self.is_held and not job.is_terminated:
                time.sleep(0.05)
            with self._slots:
                ended = self._try(job, whole, number)
            if ended is None:
                return self._end(job, whole, "FAILED", job.reason)
            code, container_reason, status_reason = ended
            if code == 0:
                return self._end(job, whole, "SUCCEEDED", "Essential container in task exited")
            may = not job.is_terminated and not status_reason.startswith("Job attempt duration")
            if not may or not is_tried_again(retry, code, container_reason, status_reason):
                return self._end(job, whole, "FAILED", job.reason if job.is_terminated else status_reason)
        return self._end(job, whole, "FAILED", status_reason)

    def _try(self, job: Job, whole: Job, number: int) -> tuple[int | None, str, str] | None:
        """Exit code, reason of the container and of the status; None where it was ended before it began."""
        timeout = job.asked.get("timeout") or job.definition.get("timeout") or {}
        with self._changing:
            if job.is_terminated:
                return None
            process = job.process = self._start(job, number)
            job.gone = ""
            began = job.started_at = _now_ms()
        self._move(job, whole, "RUNNING")
        reason = ""
        try:
            code = process.wait(timeout.get("attemptDurationSeconds"))
        except subprocess.TimeoutExpired:
            reason = "Job attempt duration exceeded timeout"
            code = stop(process)
        with self._changing:
            job.process = None
            container: dict[str, Any] = {"logStreamName": f"esteira/{job.id}/{number}"}
            if job.gone:
                reason = job.gone
            else:
                reason = reason or "Essential container in task exited"
                container["exitCode"] = code if code >= 0 else 128 - code
            job.tries.append(
                {"container": container, "startedAt": began, "stoppedAt": _now_ms(), "statusReason": reason}
            )
        return container.get("exitCode"), "", reason

    def _start(self, job: Job, number: int) -> subprocess.Popen[bytes]:
        work = self._folder / job.id.replace(":", "-") / str(number)
        work.mkdir(parents=True)
        paths = {**self._paths, "/tmp/esteira": str(work / "work")}  # noqa: S108  the path in the image
        command = [paths.get(word, word) for word in job.definition["containerProperties"]["command"]]
        env = {entry["name"]: entry["value"] for entry in job.environment()}
        programs = programs_of(self._folder, job.definition["containerProperties"]["image"])
        env |= {"AWS_BATCH_JOB_ID": job.id, "AWS_BATCH_JOB_ATTEMPT": str(number)}
        env |= {"PATH": f"{programs}:{os.environ['PATH']}"}
        if job.index is not None:
            env["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
        with (work / "log").open("wb") as log:
            return subprocess.Popen(command, cwd=work, env=env, stdout=log, stderr=log, start_new_session=True)

    def _move(self, job: Job, whole: Job, status: str) -> None:
        with self._changing:
            if job.status not in OVER:
                job.status, job.reason = status, job.reason if job.is_terminated else ""
                self._news.append(job.described())
            if whole is not job and whole.status not in OVER:
                whole.status = "PENDING"

    def _end(self, job: Job, whole: Job, status: str, reason: str) -> None:
        with self._changing:
            job.status, job.reason, job.stopped_at = status, reason, _now_ms()
            self._news.append(job.described())
            if whole is not job and all(child.status in OVER for child in whole.children):
                failed = any(child.status == "FAILED" for child in whole.children)
                whole.status, whole.stopped_at = "FAILED" if failed else "SUCCEEDED", _now_ms()
                whole.reason = "Array Child Job failed" if failed else ""
                self._news.append(whole.described())

    def _terminate(self, job: Job, reason: str) -> None:
        for one in (job, *job.children):
            if one.status not in OVER:
                one.is_terminated, one.reason = True, reason
                if one.process:
                    threading.Thread(target=stop, args=(one.process,), daemon=True).start()


def programs_of(folder: Path, image: str) -> Path:
    """Where the programs of an image lie, if it has any."""
    return folder / "images" / image.rpartition(":")[2]


def _is_listed(job: Job, asked: dict[str, Any]) -> bool:
    if job.index is not None or job.asked["jobQueue"] != asked["jobQueue"]:
        return False
    for one in asked.get("filters", []):
        if one["name"] != "JOB_NAME":
            raise Refused("only names are filtered by here")
        if not any(fnmatchcase(job.asked["jobName"].lower(), value.lower()) for value in one["values"]):
            return False
    return bool(asked.get("filters")) or job.status == asked.get("jobStatus", "RUNNING")
