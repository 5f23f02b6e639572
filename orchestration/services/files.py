"""Deleting and opening files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from orchestration.errors import Conflict
from orchestration.models import File, Job, JobInput
from orchestration.services.access import require_role
from orchestration.states import JOB_UNFINISHED, Role
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from typing import BinaryIO

    from orchestration.models import User


def open_content(file: File) -> BinaryIO:
    return get_storage(file.storage).open(file.key)


@transaction.atomic(durable=True)
def delete_file(*, user: User, file: File) -> None:
    """Hide the file; its bytes go with the next storage sweep. Refused while an unfinished job reads it."""
    require_role(user=user, workspace=file.workspace, role=Role.SUBMITTER)
    locked = File.objects.select_for_update(no_key=True).get(pk=file.pk)
    if locked.hold:
        raise Conflict(f"{file.name} is on hold. Release the hold first.")
    if JobInput.objects.filter(file=file, job__state__in=JOB_UNFINISHED).exists():
        raise Conflict(f"{file.name} is an input of a job that has not finished. Cancel the job first, or wait.")
    if locked.job_id and not Job.objects.get(pk=locked.job_id).is_finished:
        raise Conflict(f"{file.name} is an output of a job that has not finished. Cancel the job first, or wait.")
    File.objects.filter(pk=file.pk, deleted_at__isnull=True).update(deleted_at=Now())
