"""From rows to the JSON of TES. Runs in a database thread: relations load on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.ga4gh.states import state_of
from api_app.ga4gh.tes_schemas import TesExecutorLog, TesInput, TesOutputFileLog, TesTask, TesTaskLog, View
from orchestration.services.references import address_of_file, address_of_log
from orchestration.services.tasks.look import contents_of, document_of, tries_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestration.models import Job
    from orchestration.services.tasks.look import Try


def tasks_out(jobs: Sequence[Job], view: View) -> list[TesTask]:
    if view == View.MINIMAL:
        return [TesTask(id=str(job.pk), state=state_of(job)) for job in jobs]
    tries = tries_of(jobs)
    return [_task(job, tries[job.pk], is_full=view == View.FULL) for job in jobs]


def _task(job: Job, tries: list[Try], *, is_full: bool) -> TesTask:
    sent = document_of(job)
    said = {key: value for key, value in sent.items() if key not in {"inputs", "logs"}}
    last = tries[-1] if tries else None
    return TesTask(
        **said,
        id=str(job.pk),
        state=state_of(job),
        inputs=_inputs(job, sent["inputs"], is_full=is_full),
        logs=[_log(job, one, is_full=is_full, is_last=one is last) for one in tries],
        creation_time=job.created_at,
    )


def _inputs(job: Job, inputs: list[dict[str, Any]], *, is_full: bool) -> list[TesInput]:
    texts = contents_of(job, inputs) if is_full else {}
    return [TesInput.model_validate(one | {"content": texts.get(one["file"])}) for one in inputs]


def _log(job: Job, one: Try, *, is_full: bool, is_last: bool) -> TesTaskLog:
    attempt = one.attempt
    logs = [
        TesExecutorLog(exit_code=ended.exit_code, start_time=ended.started_at, end_time=ended.ended_at)
        for ended in one.executed
    ]
    if logs and is_full:
        logs[-1].stdout = one.said
    return TesTaskLog(
        logs=logs,
        metadata={"log": address_of_log(attempt.pk), "job": str(job.pk), "attempt": str(attempt.pk)},
        start_time=attempt.started_at,
        end_time=attempt.finished_at,
        outputs=[
            TesOutputFileLog(url=address_of_file(file.pk), path=f"/{file.name}", size_bytes=str(file.size))
            for file in one.outputs
        ],
        system_logs=_system(job, one, is_last=is_last) if is_full else None,
    )


def _system(job: Job, one: Try, *, is_last: bool) -> list[str]:
    said = [one.attempt.detail, job.failure_detail if is_last else "", job.waiting_detail if is_last else ""]
    return list(dict.fromkeys(filter(None, said)))
