"""A file that is here, as programs of other houses name it: by its id, as `esteira:ID`, or by its address."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from django.conf import settings

from orchestration.errors import Invalid

SCHEME: Final = "esteira:"
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PATH: Final = re.compile(rf"/api/v1/files/({_ID.pattern})(?:/content)?", re.IGNORECASE)


def file_named(reference: str) -> UUID:
    """Only by its form; whether it is there and who may see it, the rows say. Raises Invalid."""
    bare = reference.removeprefix(SCHEME)
    if _ID.fullmatch(bare):
        return UUID(bare)
    if found := _PATH.fullmatch(reference.removeprefix(settings.PUBLIC_URL)):
        return UUID(found[1])
    raise Invalid(
        f"{reference[:200]!r} is not a file that is here. Upload it first and name it as {SCHEME}ID, by its id alone, "
        f"or as {settings.PUBLIC_URL}/api/v1/files/ID/content."
    )


def address_of_file(file_id: UUID) -> str:
    """Where its bytes are fetched, with the same token."""
    return f"{settings.PUBLIC_URL}/api/v1/files/{file_id}/content"


def address_of_log(attempt_id: UUID) -> str:
    return f"{settings.PUBLIC_URL}/api/v1/attempts/{attempt_id}/log"
