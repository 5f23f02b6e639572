from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """UUIDv7: sorts by time of creation, so it may stand for the order of rows and in cursors."""
    return uuid_utils.compat.uuid7()


def uuid_or_none(text: str) -> UUID | None:
    """The id that a text is, None for any other text."""
    try:
        return UUID(text)
    except ValueError:
        return None
