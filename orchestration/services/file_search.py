"""Files that administrators look for, over all workspaces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.ids import uuid_or_none
from orchestration.models import Workspace

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from orchestration.models import File

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def find_files(files: QuerySet[File], text: str) -> QuerySet[File]:
    """By a whole id, a whole SHA-256, or part of a name."""
    wanted = text.strip()
    if file_id := uuid_or_none(wanted):
        return files.filter(pk=file_id)
    if _SHA256.fullmatch(wanted.lower()):
        # The index of digests begins with the workspace; destroyed bytes are in none.
        every = list(Workspace.objects.values_list("pk", flat=True))
        return files.filter(workspace__in=every, sha256=wanted.lower(), purged_at__isnull=True)
    return files.filter(name__icontains=wanted) if wanted else files


def names_one_file(text: str) -> bool:
    """Found by an index, among however many."""
    wanted = text.strip()
    return uuid_or_none(wanted) is not None or _SHA256.fullmatch(wanted.lower()) is not None
