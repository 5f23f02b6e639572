"""Messages of the cloud's event bus, each to the service that knows its kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from orchestration.engines.step_functions.events import BATCH_JOB, EXECUTION, QUEUE_BLOCKED
from orchestration.errors import EventRefused
from orchestration.services.engine_events import record_batch_job, record_blocked_queue, record_execution
from orchestration.services.scan_results import SCAN_RESULT, record_scan_result

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: Final[dict[str, Callable[..., object]]] = {
    SCAN_RESULT: record_scan_result,
    BATCH_JOB: record_batch_job,
    QUEUE_BLOCKED: record_blocked_queue,
    EXECUTION: record_execution,
}


def record_event(*, body: str) -> None:
    """What it says is durable when this returns. Raises EventRefused (never) for what nobody here understands."""
    try:
        event: Any = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise EventRefused(f"Not JSON: {exc}") from exc
    kind = event.get("detail-type") if isinstance(event, dict) else None
    record = KINDS.get(kind) if isinstance(kind, str) else None
    if record is None:
        raise EventRefused(f"Not an event that we know: {str(kind)[:200]}.")
    record(event=event)
