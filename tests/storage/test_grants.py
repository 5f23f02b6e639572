"""A result's whole life in a bucket, so that all it needs of AWS is in deploy/iam/grants.json, process by process."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.utils import timezone

from orchestration.execution import orphans, retention
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, File
from orchestration.models.file import UNDELETE
from orchestration.services import runner
from orchestration.services.work_orders import work_order
from project.management.commands.check_storage import look
from tests.frontend.ask import fetch
from tests.grants.plugin import RECORD
from tests.orchestration.play import end, holder, lease, submitted
from tests.storage.test_in_service import buckets, kept

if TYPE_CHECKING:
    from orchestration.models import User
    from orchestration.storage.s3 import S3DirectStorage

__all__ = ["buckets"]  # a fixture, for every test here
pytestmark = pytest.mark.django_db

RESULTS = "arn:aws:s3:::${results_bucket}/${results_folder}/*"


def left_behind(data: bytes = b"hello") -> File:
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    digest = sha256(data).hexdigest()
    (slot,) = runner.output_slots(holder=holder(attempt), files=[(len(data), digest)])
    assert httpx.put(slot.url, headers=slot.headers, content=data, trust_env=False).is_success
    output = {"path": "a.txt", "size": len(data), "sha256": digest, "media_type": "text/plain"}
    end(attempt, outputs=[output])
    return File.objects.get(attempt_id=attempt.pk)


def test_result_is_written_read_and_destroyed_by_those_who_may(
    owner: User, buckets: S3DirectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(owner, files=(kept(owner),))
    dispatch()
    result = left_behind()
    assert fetch(owner, f"/files/{result.pk}/content").status == 302
    assert fetch(owner, f"/files/{result.pk}/preview").status == 200

    submitted(owner, files=(result,))
    dispatch()
    (attempt,) = lease()
    assert work_order(runner.begin(holder=holder(attempt)))["inputs"]
    Attempt.objects.filter(pk=attempt.pk).delete()
    File.objects.filter(pk=result.pk).update(deleted_at=timezone.now() - UNDELETE - timedelta(days=1))
    assert retention.purge_files() == 1
    monkeypatch.setattr(orphans, "ORPHAN_AGE", timedelta(seconds=-60))
    assert orphans.sweep_storage() == 0

    on_results = {(grant.process, grant.action) for grant in RECORD.asked if grant.resource == RESULTS}
    assert {
        ("web", "s3:PutObject"),
        ("web", "s3:GetObjectVersion"),
        ("worker", "s3:DeleteObjectVersion"),
    } <= on_results
    assert ("web", "s3:DeleteObjectVersion") not in on_results


@pytest.mark.parametrize("alias", ["uploads", "results"])
def test_storage_is_tried_by_an_operator(alias: str) -> None:
    found: list[Any] = list(look(alias))

    assert len(found) > 3
    assert any(grant.process == "check_storage" and alias in grant.resource for grant in RECORD.asked)
