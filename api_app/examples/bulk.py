"""Examples: one action on many jobs."""

from typing import Any, Final

from api_app.examples.form import Example, listing
from api_app.examples.ids import BULK, JOB
from api_app.examples.jobs import BRIEF

_CHOICE: Final = {"action": "retry", "q": "state:failed label:batch=7"}
_BULK: Final[dict[str, Any]] = {
    "id": BULK,
    **_CHOICE,
    "set_labels": {},
    "remove_labels": [],
    "priority": None,
    "total": 31,
    "done": 12,
    "refused": 1,
    "skipped": 0,
    "created_at": "2026-11-02T10:00:00Z",
    "canceled_at": None,
    "finished_at": None,
}

EXAMPLES: Final[dict[str, Example]] = {
    "preview_bulk": Example({"total": 31, "others": {"RUNNING": 2}, "sample": [{**BRIEF, "state": "FAILED"}]}, _CHOICE),
    "begin_bulk": Example({**_BULK, "done": 0, "refused": 0}, {**_CHOICE, "expected": 31}),
    "list_bulk": listing(_BULK),
    "show_bulk": Example(_BULK),
    "cancel_bulk": Example({**_BULK, "canceled_at": "2026-11-02T10:01:00Z"}),
    "list_bulk_items": listing(
        {
            "job": JOB,
            "outcome": "refused",
            "code": "job_finished",
            "detail": "A job that has succeeded cannot be retried.",
            "made": None,
        }
    ),
}
