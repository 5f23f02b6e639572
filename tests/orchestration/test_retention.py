from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.execution.sweep import expire_files
from orchestration.models import File, User, Workspace
from orchestration.services.jobs import cancel
from tests.factories import make_file
from tests.orchestration.play import submitted

pytestmark = pytest.mark.django_db

PAST, FUTURE = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)


def is_there(file: File) -> bool:
    return File.objects.get(pk=file.pk).deleted_at is None


def test_only_files_whose_date_has_come_go(owner: User, lab: Workspace) -> None:
    due = make_file(lab, owner, "due.csv", expires_at=PAST)
    early = make_file(lab, owner, "early.csv", expires_at=FUTURE)
    held = make_file(lab, owner, "held.csv", expires_at=PAST, hold=True)
    assert expire_files() == 1
    assert [is_there(f) for f in (due, early, held)] == [False, True, True]
    assert expire_files() == 0, "once is enough"


def test_file_in_use_waits_for_the_end_of_its_job(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, expires_at=PAST)
    job = submitted(owner, files=(file,))
    assert expire_files() == 0
    assert is_there(file)
    cancel(user=owner, job=job)
    assert expire_files() == 1
    assert not is_there(file)


def test_output_of_an_unfinished_job_stays(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    output = make_file(lab, owner, "out.txt", kind="result", job=job, step="nothing", item_index=0, expires_at=PAST)
    assert expire_files() == 0
    cancel(user=owner, job=job)
    assert expire_files() == 1
    assert not is_there(output)
