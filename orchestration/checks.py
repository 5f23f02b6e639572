"""Start-up checks that touch nothing outside the process. `manage.py check_storage` looks further."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.files.storage import FileSystemStorage, storages

from orchestration.services.logs import STORAGE as LOGS

if TYPE_CHECKING:
    from collections.abc import Sequence


@register(Tags.files)
def logs_can_grow(**_: Any) -> Sequence[CheckMessage]:
    if isinstance(storages[LOGS], FileSystemStorage):
        return []
    hint = "Keep the alias `logs` of STORAGES on django.core.files.storage.FileSystemStorage."
    return [Error("Logs grow at their end, which objects in a bucket cannot.", hint=hint, id="esteira.E001")]
