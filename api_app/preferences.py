"""`Prefer: return=minimal` (RFC 7240): who sends a thousand things need not hear all of each again."""

from typing import Annotated, Final

from fastapi import Header

MINIMAL: Final = "return=minimal"
Prefer = Annotated[str | None, Header(max_length=256)]


def is_minimal(prefer: str | None) -> bool:
    wishes = (prefer or "").lower().replace('"', "").split(",")
    return any(wish.partition(";")[0].replace(" ", "") == MINIMAL for wish in wishes)
