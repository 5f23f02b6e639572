"""What is sent: a CloudEvent 1.0 as JSON. Made once; every try sends the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TYPE_PREFIX: Final = "esteira."
DIGITS: Final = 19
"""Of an event's number as text, so that texts sort as the numbers do."""


def cloud_event(
    *, source: str, event_id: str, kind: str, at: datetime, data: dict[str, Any], subject: str = "", sequence: int = 0
) -> str:
    said: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": TYPE_PREFIX + kind,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
    }
    if subject:
        said["subject"] = subject
    if sequence:
        said["sequence"] = f"{sequence:0{DIGITS}}"
    return json.dumps(said | {"data": data}, ensure_ascii=False, separators=(",", ":"))
