"""Start-up checks that touch nothing outside the process. `manage.py check_storage` looks further."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  its name there
from django.core.files.storage import FileSystemStorage, storages

from orchestration.execution.outputs import STORAGE as RESULTS
from orchestration.models.upload import STORAGE as UPLOADS
from orchestration.services.logs import STORAGE as LOGS
from orchestration.services.pipelines import STORAGE as CODE

if TYPE_CHECKING:
    from collections.abc import Sequence


@register(Tags.files)
def logs_can_grow(**_: Any) -> Sequence[CheckMessage]:
    if isinstance(storages[LOGS], FileSystemStorage):
        return []
    hint = "Keep the alias `logs` of STORAGES on django.core.files.storage.FileSystemStorage."
    return [Error("Logs grow at their end, which objects in a bucket cannot.", hint=hint, id="esteira.E001")]


@register(Tags.files)
def steps_elsewhere_reach_files(**_: Any) -> Sequence[CheckMessage]:
    """No work order names a folder to another machine: job after job would be refused there."""
    is_elsewhere = bool(settings.AWS_CELL) and not settings.AWS_CELL.get("sees_our_folders")
    here = [alias for alias in (UPLOADS, RESULTS, CODE) if isinstance(storages[alias], FileSystemStorage)]
    if not (is_elsewhere and here):
        return []
    said = f"Steps run on AWS and cannot reach folders of this machine: {', '.join(here)}."
    return [Warning(said, hint="Set ESTEIRA_STORAGE=s3 (docs/operate.md, Object storage).", id="esteira.W002")]
