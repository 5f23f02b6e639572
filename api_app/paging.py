"""Keyset pages: `limit` rows from `cursor` on, whatever comes or goes in between."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple
from uuid import UUID

from fastapi import Query

from orchestration.errors import Invalid

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

MOST: Final = 200
Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[str | None, Query(max_length=64)]


class Page[M](NamedTuple):
    rows: list[M]
    next_cursor: str | None


def encode(row_id: UUID) -> str:
    return base64.urlsafe_b64encode(row_id.bytes).rstrip(b"=").decode()


def decode(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as exc:
        raise Invalid(
            "This cursor is not one of ours.", errors=[{"loc": ["query", "cursor"], "msg": "unknown"}]
        ) from exc


def page[M: Model](rows: QuerySet[M], *, limit: int, cursor: str | None, descending: bool = True) -> Page[M]:
    """Ids are UUIDv7, so their order is that of creation."""
    if cursor:
        rows = rows.filter(**{"id__lt" if descending else "id__gt": decode(cursor)})
    found = list(rows.order_by("-id" if descending else "id")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(found, encode(found[-1].pk) if more else None)
