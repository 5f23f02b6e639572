"""JSON's own types, as the document says them: a number is not a text, nor is 0 a false or a moment in 1970.

Pydantic alone would take all of these, and a slip of a client would be done instead of refused.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Strict

# RFC 3339, which the formats `date` and `date-time` of JSON Schema mean; also without the offset.
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT: Final = re.compile(rf"{_DAY.pattern}[Tt ][0-9]{{2}}:[0-9]{{2}}.*", re.ASCII | re.DOTALL)


def _no_text(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise ValueError(f"is a number, not {'a text' if isinstance(value, str) else 'true or false'}")  # noqa: TRY004  pydantic's form
    return value


def _day(value: Any) -> Any:
    return _written(value, _DAY, "2026-11-30")


def _moment(value: Any) -> Any:
    return _written(value, _MOMENT, "2026-11-30T12:00:00Z")


def _written(value: Any, form: re.Pattern[str], example: str) -> Any:
    # What is a date already comes from our own code.
    if isinstance(value, date | None) or (isinstance(value, str) and form.fullmatch(value)):
        return value
    raise ValueError(f"is a text like {example}")


# Bounds stand before these: behind one they would be checked, and missing from the document.
AS_NUMBER: Final = BeforeValidator(_no_text)
AS_DAY: Final = BeforeValidator(_day)
Whole = Annotated[int, AS_NUMBER]
Number = Annotated[float, AS_NUMBER]
Flag = Annotated[bool, Strict()]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
LooseMoment = Annotated[datetime, BeforeValidator(_moment)]
"""Of somebody's file system, which may know no time zone."""
MOST: Final = (1 << 53) - 1
"""The largest whole number that every reader of JSON understands exactly."""
