"""Examples: webhooks and their deliveries."""

from typing import Any, Final

from api_app.examples.form import NOTHING, Example, listing
from api_app.examples.ids import DELIVERY, ENDED, JOB, WEBHOOK

_SECRET: Final = "whsec_…"  # noqa: S105  shows the form
_WANTED: Final = {"url": "https://hooks.example/esteira", "workspace": "lab", "kinds": ["job.succeeded", "job.failed"]}
_WEBHOOK: Final[dict[str, Any]] = {
    "id": WEBHOOK,
    **_WANTED,
    "description": "Tells the laboratory's calendar",
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "rests_until": None,
    "created_by": "grace",
    "created_at": "2026-11-01T10:00:00Z",
}
_DELIVERY: Final[dict[str, Any]] = {
    "id": DELIVERY,
    "webhook": WEBHOOK,
    "message_id": "msg_" + DELIVERY.replace("-", ""),
    "kind": "job.succeeded",
    "job": JOB,
    "event": 4711,
    "state": "delivered",
    "tries": 1,
    "due_at": None,
    "status": 204,
    "problem": None,
    "created_at": ENDED,
    "finished_at": "2026-11-02T09:14:12Z",
}
_AGAIN: Final = {**_DELIVERY, "state": "waiting", "tries": 0, "due_at": ENDED, "status": None, "finished_at": None}

EXAMPLES: Final[dict[str, Example]] = {
    "create_webhook": Example(
        {**_WEBHOOK, "secret": _SECRET}, {**_WANTED, "description": "Tells the laboratory's calendar"}
    ),
    "list_webhooks": listing(_WEBHOOK),
    "show_webhook": Example(_WEBHOOK),
    "edit_webhook": Example({**_WEBHOOK, "enabled": False}, {"enabled": False}),
    "delete_webhook": NOTHING,
    "rotate_webhook_secret": Example({"secret": _SECRET, "created_at": ENDED}, {"overlap_hours": 24}),
    "test_webhook": Example({**_AGAIN, "kind": "webhook.test", "job": None, "event": None}),
    "list_deliveries": listing(_DELIVERY),
    "show_delivery": Example(
        {
            **_DELIVERY,
            "attempts": [{"at": ENDED, "took_ms": 84, "status": 204, "problem": None, "answer": None}],
            "body": {"type": "job.succeeded", "timestamp": ENDED, "data": {"job": JOB}},
        }
    ),
    "replay_delivery": Example(_AGAIN),
    "replay_missed_deliveries": Example({"replayed": 12}, {"since": "2026-11-01T00:00:00Z"}),
}
