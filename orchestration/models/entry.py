"""One statement that writes jobs with their inputs, their step runs and their first events.

A statement is a transaction of its own: all of it is there or nothing is. Through the ORM it would be four
statements and two round trips around them, for the write that everybody waits for.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from orchestration.ids import new_id
from orchestration.states import EventKind, JobState, WorkState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from orchestration.models.job import Job

PATIENCE: Final = "100ms"
_ENTER: Final = """
WITH patience AS MATERIALIZED (
  SELECT %(patience)s::text = '' OR set_config('lock_timeout', %(patience)s::text, true) <> '' AS is_set
), new AS MATERIALIZED (
  SELECT new.* FROM patience, jsonb_to_recordset(%(entries)s::jsonb) AS new (
    id uuid, workspace uuid, "user" uuid, version uuid, name text, params jsonb, labels jsonb, priority smallint,
    key text, digest text, resubmitted_from uuid, estimate_usd numeric, estimate_basis text, deadline timestamptz,
    traceparent text, files uuid[], step_ids uuid[], step_names text[], totals int[]
  ) WHERE patience.is_set
), given AS (
  SELECT new.id AS job, f.id, asked.n
  FROM new CROSS JOIN unnest(new.files) WITH ORDINALITY AS asked(file, n) JOIN orchestration_file f ON f.id = asked.file
  WHERE f.deleted_at IS NULL AND f.superseded_at IS NULL FOR SHARE OF f
), job AS (
  INSERT INTO orchestration_job
    (id, workspace_id, created_by_id, pipeline_version_id, name, params, labels, priority, input_count, state, run,
     waiting_reason, waiting_detail, failure_kind, failure_detail, idempotency_key, request_digest, resubmitted_from_id,
     estimate_usd, estimate_basis, deadline, traceparent)
  SELECT id, workspace, "user", version, name, params, labels, priority, cardinality(files), %(waiting)s, 1,
     '', '', '', '', key, digest, resubmitted_from, estimate_usd, estimate_basis, deadline, traceparent
  FROM new WHERE (SELECT count(*) FROM given WHERE given.job = new.id) = cardinality(files)
  ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
  RETURNING id, workspace_id, created_at
), input AS (
  INSERT INTO orchestration_jobinput (job_id, file_id, position)
  SELECT job.id, given.id, given.n - 1 FROM job JOIN given ON given.job = job.id
), step AS (
  INSERT INTO orchestration_steprun
    (id, job_id, name, position, state, run, items_total, failure_kind, failure_detail)
  SELECT s.id, job.id, s.name, s.n - 1, %(step_waiting)s, 1, s.total, '', ''
  FROM job JOIN new ON new.id = job.id
    CROSS JOIN unnest(new.step_ids, new.step_names, new.totals) WITH ORDINALITY AS s(id, name, total, n)
), event AS (
  INSERT INTO orchestration_event (workspace_id, job_id, kind, step, old, new, reason, data)
  SELECT workspace_id, id, %(kind)s, '', '', %(waiting)s, 'submitted', '{}' FROM job
)
SELECT id, created_at FROM job
"""
_SAME: Final = {"waiting": JobState.WAITING, "step_waiting": WorkState.WAITING, "kind": EventKind.JOB}


@dataclass(frozen=True, slots=True)
class Entry:
    """`job`, which must be new, with `files` in their order and `steps` as (name, number of items)."""

    job: Job
    files: Sequence[UUID]
    steps: Sequence[tuple[str, int]]
    check: Callable[[], None] | None = None
    """What has to hold in the very transaction that writes it; raises what is said otherwise."""

    def values(self) -> dict[str, Any]:
        """As JSON takes them."""
        job = self.job
        return {
            "id": str(job.pk),
            "workspace": str(job.workspace_id),
            "user": str(job.created_by_id),
            "version": str(job.pipeline_version_id),
            "name": job.name,
            "params": job.params,
            "labels": job.labels,
            "priority": job.priority,
            "key": job.idempotency_key,
            "digest": job.request_digest,
            "resubmitted_from": _text(job.resubmitted_from_id),
            "estimate_usd": _text(job.estimate_usd),
            "estimate_basis": job.estimate_basis,
            "deadline": _text(job.deadline),
            "traceparent": job.traceparent,
            "files": [str(file) for file in self.files],
            "step_ids": [str(new_id()) for _ in self.steps],
            "step_names": [name for name, _ in self.steps],
            "totals": [total for _, total in self.steps],
        }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def enter_job(entry: Entry) -> bool:
    """False, and nothing is written, when its Idempotency-Key is taken or one of its files was deleted meanwhile.

    They are locked against that, which a foreign key does not do.
    """
    with transaction.atomic() if entry.check else nullcontext():
        if entry.check:
            entry.check()
        return _enter([entry], patience="")[0]


def enter_jobs(entries: Sequence[Entry]) -> list[bool]:
    """As `enter_job` of each that has no `check`, in one transaction: all are committed, or an error leaves none.

    Whoever holds what one of them needs holds all of them up: after a moment that is an error too.
    """
    return _enter(entries, patience=PATIENCE)


def _enter(entries: Sequence[Entry], *, patience: str) -> list[bool]:
    # In one order, or two such statements might each wait for a key of the other.
    ordered = sorted(entries, key=lambda entry: (entry.job.workspace_id, entry.job.idempotency_key or ""))
    values: Any = {"entries": Jsonb([entry.values() for entry in ordered]), "patience": patience, **_SAME}
    with connection.cursor() as cursor:
        cursor.execute(_ENTER, values)
        made = dict(cursor.fetchall())
    for entry in entries:
        if entry.job.pk in made:
            entry.job.created_at = made[entry.job.pk]
            entry.job._state.adding = False  # noqa: SLF001  what save() would have noted
            entry.job._state.db = connection.alias  # noqa: SLF001  the same
    return [entry.job.pk in made for entry in entries]
