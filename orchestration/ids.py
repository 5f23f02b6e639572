from datetime import datetime
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """UUIDv7: sorts by time of creation, so it may stand for the order of rows and in cursors."""
    return uuid_utils.compat.uuid7()


def first_id(at: datetime) -> UUID:
    """None that was made at that time or later is before it."""
    return UUID(int=max(0, int(at.timestamp() * 1_000)) << 80)


def uuid_or_none(text: str) -> UUID | None:
    """The id that a text is, None for any other text."""
    try:
        return UUID(text)
    except ValueError:
        return None
