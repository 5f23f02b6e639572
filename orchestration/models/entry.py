"""One statement that writes a job with its inputs, its step runs and its first event.

A statement is a transaction of its own: all of it is there or nothing is. Through the ORM it would be four
statements and two round trips around them, for the write that everybody waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from psycopg.types.json import Jsonb

from orchestration.ids import new_id
from orchestration.states import EventKind, JobState, WorkState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models.job import Job

_ENTER: Final = """
WITH given AS (
  SELECT f.id, asked.n FROM unnest(%(files)s::uuid[]) WITH ORDINALITY AS asked(file, n)
  JOIN orchestration_file f ON f.id = asked.file
  WHERE f.deleted_at IS NULL AND f.superseded_at IS NULL FOR SHARE OF f
), job AS (
  INSERT INTO orchestration_job
    (id, workspace_id, created_by_id, pipeline_version_id, name, params, labels, priority, input_count, state, run,
     waiting_reason, waiting_detail, failure_kind, failure_detail, idempotency_key, request_digest, resubmitted_from_id,
     estimate_usd, estimate_basis, deadline, traceparent)
  SELECT %(job)s::uuid, %(workspace)s::uuid, %(user)s::uuid, %(version)s::uuid, %(name)s::text, %(params)s::jsonb,
     %(labels)s::jsonb, %(priority)s::smallint, %(count)s::int, %(waiting)s::text, 1, '', '', '', '', %(key)s::text,
     %(digest)s::text, %(resubmitted_from)s::uuid,
     %(estimate_usd)s::numeric, %(estimate_basis)s::text, %(deadline)s::timestamptz,
     %(traceparent)s::text
  WHERE (SELECT count(*) FROM given) = %(count)s::int
  ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
  RETURNING id, created_at
), input AS (
  INSERT INTO orchestration_jobinput (job_id, file_id, position)
  SELECT job.id, given.id, given.n - 1 FROM given, job
), step AS (
  INSERT INTO orchestration_steprun
    (id, job_id, name, position, state, run, items_total, failure_kind, failure_detail)
  SELECT s.id, job.id, s.name, s.n - 1, %(step_waiting)s::text, 1, s.total, '', ''
  FROM job, unnest(%(step_ids)s::uuid[], %(step_names)s::text[], %(totals)s::int[])
    WITH ORDINALITY AS s(id, name, total, n)
), event AS (
  INSERT INTO orchestration_event (workspace_id, job_id, kind, step, old, new, reason, data)
  SELECT %(workspace)s::uuid, job.id, %(kind)s::text, '', '', %(waiting)s::text, 'submitted', '{}' FROM job
)
SELECT created_at FROM job
"""


def enter_job(job: Job, *, files: Sequence[UUID], steps: Sequence[tuple[str, int]]) -> bool:
    """Write `job`, which must be new, with `files` in their order and `steps` as (name, number of items).

    False, and nothing is written, when its Idempotency-Key is taken, or when one of the files has been deleted
    meanwhile: they are locked against that, which a foreign key does not do.
    """
    values: dict[str, Any] = {
        "job": job.pk,
        "workspace": job.workspace_id,
        "user": job.created_by_id,
        "version": job.pipeline_version_id,
        "name": job.name,
        "params": Jsonb(job.params),
        "labels": Jsonb(job.labels),
        "priority": job.priority,
        "count": len(files),
        "waiting": JobState.WAITING,
        "key": job.idempotency_key,
        "digest": job.request_digest,
        "resubmitted_from": job.resubmitted_from_id,
        "estimate_usd": job.estimate_usd,
        "estimate_basis": job.estimate_basis,
        "deadline": job.deadline,
        "traceparent": job.traceparent,
        "files": list(files),
        "step_ids": [new_id() for _ in steps],
        "step_names": [name for name, _ in steps],
        "totals": [total for _, total in steps],
        "step_waiting": WorkState.WAITING,
        "kind": EventKind.JOB,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENTER, values)
        row = cursor.fetchone()
    if row is None:
        return False
    job.created_at = row[0]
    job._state.adding = False  # noqa: SLF001  what save() would have noted
    job._state.db = connection.alias  # noqa: SLF001  the same
    return True
