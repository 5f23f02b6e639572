"""What became of a task: its document, its tries, and what each command came to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import NotFound
from orchestration.models import Attempt, File, Job
from orchestration.services.access import find_job
from orchestration.services.files import open_content
from orchestration.services.logs import read_log
from orchestration.services.tasks.versions import NAME
from orchestration.states import FileKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models import User
    from orchestration.models.job import JobQuerySet

TAIL: Final = 64 << 10
SHOWN: Final = 8 << 10
_ENDS: Final = re.compile(r"^::executors (\[.*\])$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Executed:
    """One command's end. `exit_code` is the task's own; the attempt's may be another."""

    exit_code: int
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Try:
    attempt: Attempt
    executed: list[Executed]
    said: str
    """The end of what its commands wrote, both streams of all of them in one."""
    outputs: list[File] = field(default_factory=list)


def tasks_of(user: User) -> JobQuerySet:
    tasks = Job.objects.visible_to(user).filter(
        pipeline_version__pipeline__name=NAME, pipeline_version__pipeline__is_internal=True
    )
    return tasks.select_related("pipeline_version__pipeline")


def find_task(*, user: User, task_id: UUID) -> Job:
    """Raises NotFound, also for a job that is no task."""
    job = find_job(user=user, job_id=task_id)
    if not job.pipeline_version.pipeline.is_internal:
        raise NotFound("There is no such task that you may see.")
    return job


def document_of(job: Job) -> dict[str, Any]:
    task: dict[str, Any] = json.loads(job.params["task"])
    return task


def contents_of(job: Job, inputs: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By file id: the texts that came inside of the task, while they are there."""
    wanted = [one["file"] for one in inputs if one["has_content"]]
    files = File.objects.current().filter(pk__in=wanted, workspace=job.workspace_id)
    return {str(file.pk): _text(file) for file in files}


def _text(file: File) -> str:
    with open_content(file) as content:
        return content.read().decode()


def tries_of(jobs: Sequence[Job]) -> dict[UUID, list[Try]]:
    """By job, oldest first. One read of a log's end for each."""
    found: dict[UUID, list[Try]] = {job.pk: [] for job in jobs}
    outputs: dict[UUID | None, list[File]] = {}
    for file in File.objects.current().filter(job__in=found, kind=FileKind.RESULT).order_by("name"):
        outputs.setdefault(file.attempt_id, []).append(file)
    for attempt in Attempt.objects.filter(job__in=found).order_by("id"):
        said, executed = _log(attempt)
        found[attempt.job_id].append(Try(attempt, executed, said, outputs.get(attempt.pk, [])))
    return found


def _log(attempt: Attempt) -> tuple[str, list[Executed]]:
    text = read_log(attempt=attempt, offset=-TAIL).data.decode("utf-8", "replace") if attempt.log_size else ""
    lines = [line for line in text.splitlines() if line and not line.startswith(("::", "[esteira]"))]
    said = "\n".join(lines)[-SHOWN:]
    ends = _ENDS.findall(text)
    if ends and attempt.finished_at is not None:
        return said, _executed(ends[-1])
    # Killed by a limit or a cancel, or the log is full: the attempt's own end is what is known.
    return said, [] if attempt.exit_code is None else [Executed(attempt.exit_code)]


def _executed(text: str) -> list[Executed]:
    """A command may have written such a line itself; whatever does not fit is nothing."""
    try:
        return [
            Executed(
                int(one["exit_code"]),
                datetime.fromisoformat(one["start_time"]),
                datetime.fromisoformat(one["end_time"]),
            )
            for one in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError):
        return []
