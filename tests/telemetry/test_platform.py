"""What the rows say of the platform as a whole."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from orchestration.models import Attempt, Event, Examination
from orchestration.models.repair import count_repairs
from orchestration.states import EventKind
from project.telemetry import platform
from project.telemetry.platform import Platform
from tests.asgi.server import ROOT, environment
from tests.factories import make_file, make_job
from tests.live.platform import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.models import Job, User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """A scrape ends with the connection given back; in a test it is the test's."""
    monkeypatch.setattr(connection, "close", lambda: None)
    made = CollectorRegistry(auto_describe=False)
    made.register(Platform())
    return made


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"esteira_{name}", labels)


def happened(job: Job, old: str, new: str, ago_s: float, **data: Any) -> None:
    event = job.event(EventKind.JOB, old=old, new=new, data=data)
    event.save(force_insert=True)
    Event.objects.filter(pk=event.pk).update(at=timezone.now() - timedelta(seconds=ago_s))


def test_what_waits_and_runs(registry: CollectorRegistry, owner: User, lab: Workspace) -> None:
    long_ago = timezone.now() - timedelta(minutes=10)
    make_job(owner, lab, state="WAITING", waiting_reason="quota", created_at=long_ago)
    make_job(owner, lab, state="QUEUED")
    make_job(owner, lab, state="RUNNING")
    make_job(owner, lab, state="FAILED", failure_kind="INPUT", finished_at=long_ago)
    assert [value(registry, "jobs", state=one) for one in ("WAITING", "QUEUED", "STARTING", "RUNNING")] == [1, 1, 0, 1]
    assert value(registry, "jobs_waiting", reason="quota") == 1
    assert 600 <= (value(registry, "oldest_waiting_job_seconds", reason="quota") or 0) < 700
    assert value(registry, "jobs_waiting", reason="none") == 1
    assert value(registry, "jobs", state="FAILED") is None, "ten million of these are not counted on each scrape"
    assert value(registry, "database_up") == 1


def test_files_that_wait_for_their_check(registry: CollectorRegistry, owner: User, lab: Workspace) -> None:
    make_file(lab, owner)
    Examination.objects.create(file=make_file(lab, owner, scan_state="received", sha256=""))
    gone = timezone.now() - timedelta(days=2)
    make_file(lab, owner, scan_state="received", sha256="", created_at=gone, deleted_at=gone, purged_at=gone)
    assert value(registry, "files_unexamined") == 1
    assert (value(registry, "oldest_unexamined_file_seconds") or 0) < 60


def test_ends_are_counted_once_they_are_settled(registry: CollectorRegistry, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    pipeline = job.pipeline_version.pipeline.name
    happened(job, "RUNNING", "SUCCEEDED", 100)
    failed = {"pipeline": pipeline, "state": "FAILED", "failure_kind": "PLATFORM"}
    assert value(registry, "jobs_ended_total", **failed) is None
    happened(job, "RUNNING", "FAILED", 90, failure_kind="PLATFORM")
    happened(job, "RUNNING", "RUNNING", 90)
    happened(job, "RUNNING", "FAILED", 1, failure_kind="PLATFORM")
    assert value(registry, "jobs_ended_total", **failed) == 1
    assert value(registry, "jobs_ended_total", **failed) == 1, "not again"
    succeeded = {"pipeline": pipeline, "state": "SUCCEEDED", "failure_kind": ""}
    assert value(registry, "jobs_ended_total", **succeeded) is None, "before this process began"


def test_wait_is_from_the_last_submission(registry: CollectorRegistry, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    assert value(registry, "job_wait_seconds_count") == 0
    happened(job, "", "WAITING", 1_000)
    happened(job, "STARTING", "RUNNING", 990)
    happened(job, "FAILED", "WAITING", 500)
    happened(job, "STARTING", "RUNNING", 100)
    assert value(registry, "job_wait_seconds_count") == 2
    assert (value(registry, "job_wait_seconds_sum") or 0) == pytest.approx(410, abs=1)
    assert value(registry, "job_wait_seconds_bucket", le="15.0") == 1
    assert value(registry, "job_wait_seconds_bucket", le="+Inf") == 2


def test_repairs_and_lost_attempts(registry: CollectorRegistry, owner: User, lab: Workspace) -> None:
    count_repairs("orphan", 3)
    job = make_job(owner, lab, state="RUNNING")
    item, long_ago = job.steps.get().items.get(), timezone.now() - timedelta(hours=1)
    Attempt.objects.create(
        job=job, item=item, step="nothing", run=1, number=1, state="RUNNING", lease_until=long_ago, leased_by="gone"
    )
    assert value(registry, "reconciler_repairs_total", kind="orphan") == 3
    assert value(registry, "attempts", state="RUNNING") == 1
    assert value(registry, "attempts_lost") == 1


def test_queue_in_the_database(registry: CollectorRegistry, settings: Settings) -> None:
    settings.BROKER_URL = "pgmq://"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send('esteira', '{}')")
        cursor.execute(
            "UPDATE pgmq.q_esteira SET vt = vt - interval '5 min', enqueued_at = enqueued_at - interval '5 min'"
        )
    assert value(registry, "queue_messages") == 1
    assert (value(registry, "queue_oldest_message_seconds") or 0) >= 300


def test_queue_that_nobody_has_made_is_no_database_that_is_away(
    registry: CollectorRegistry, settings: Settings
) -> None:
    settings.BROKER_URL = "pgmq://"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue('esteira')")
    assert value(registry, "database_up") == 1
    assert value(registry, "queue_messages") is None


def test_database_that_is_away_is_said_and_nothing_else(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(platform, "_jobs", away)
    assert value(registry, "database_up") == 0
    assert value(registry, "jobs", state="WAITING") is None


def test_exporter_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "exporter", "--port", str(port)]
    with subprocess.Popen(command, env=environment(port, tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Metrics at http://127.0.0.1:{port}/metrics\n"
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=30).text
        process.terminate()
        assert process.wait(20) == 0
    found = {one.name: one for one in text_string_to_metric_families(text)}
    assert found["esteira_database_up"].samples[0].value == 1
    assert "esteira_jobs" in found
