"""Ids as GA4GH's clients write them: any text."""

from __future__ import annotations

from uuid import UUID

from orchestration.errors import NotFound


def read_id(text: str) -> UUID:
    """Raises NotFound: what is no id of ours is not here either."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is nothing of that id that you may see.") from None
