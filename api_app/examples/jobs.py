"""Examples: a job that profiles a table, its attempts and its events."""

from typing import Any, Final

from api_app.examples.files import REPORT, TABLE
from api_app.examples.form import Example, listing
from api_app.examples.ids import ATTEMPT, ENDED, FILE, JOB, NEW_JOB, STARTED, SUBMITTED

WANTED: Final[dict[str, Any]] = {
    "pipeline": "tabular-profile",
    "inputs": [FILE],
    "params": {"sample_rows": 5000},
    "name": "November",
    "labels": {"batch": "7"},
}
BRIEF: Final[dict[str, Any]] = {
    "id": JOB,
    "name": "November",
    "workspace": "lab",
    "pipeline": "tabular-profile",
    "pipeline_version": "1.0.0",
    "pipeline_title": "Profile a table",
    "state": "SUCCEEDED",
    "canceling": False,
    "waiting_reason": None,
    "waiting_detail": None,
    "queue_position": None,
    "failure_kind": None,
    "failure_detail": None,
    "run": 1,
    "params": {"sample_rows": 5000},
    "labels": {"batch": "7"},
    "priority": 0,
    "deadline": None,
    "progress": 1.0,
    "created_by": "ada",
    "created_at": SUBMITTED,
    "queued_at": SUBMITTED,
    "started_at": STARTED,
    "finished_at": ENDED,
    "resubmitted_from": None,
    "url": f"https://esteira.example/jobs/{JOB}/",
}
_STEP: Final[dict[str, Any]] = {
    "name": "convert",
    "title": "Read the table",
    "state": "SUCCEEDED",
    "items_total": 1,
    "items_succeeded": 1,
    "items_failed": 0,
    "items_running": 0,
    "progress": 1.0,
    "message": None,
    "started_at": STARTED,
    "finished_at": "2026-11-02T09:14:08Z",
}
WHOLE: Final[dict[str, Any]] = {
    **BRIEF,
    "inputs": [TABLE],
    "input_count": 1,
    "steps": [_STEP, {**_STEP, "name": "report", "title": "Write the report", "finished_at": ENDED}],
    "results": [REPORT],
    "result_count": 1,
    "cost": {
        "estimate_usd": "0.0021",
        "estimate_basis": "measured",
        "actual_usd": "0.0018",
        "unpriced_attempts": 0,
        "keeping_usd": "0.00001",
        "prices": "us-east-1, 2026-10-01",
    },
    "version": "5",
}
_NOT_BEGUN: Final = {
    "progress": 0.0,
    "started_at": None,
    "finished_at": None,
}
WAITING: Final[dict[str, Any]] = {
    **WHOLE,
    **_NOT_BEGUN,
    "state": "WAITING",
    "waiting_reason": "scan",
    "waiting_detail": "A file is still being checked.",
    "queued_at": None,
    "steps": [{**step, **_NOT_BEGUN, "state": "WAITING", "items_succeeded": 0} for step in WHOLE["steps"]],
    "results": [],
    "result_count": 0,
    "cost": {**WHOLE["cost"], "actual_usd": "0", "keeping_usd": "0"},
    "version": "1",
}
RUNNING_AGAIN: Final[dict[str, Any]] = {**WAITING, "run": 2, "version": "9"}
EVENT: Final[dict[str, Any]] = {
    "id": 4711,
    "job": JOB,
    "kind": "job",
    "step": None,
    "item": None,
    "attempt": None,
    "old": "RUNNING",
    "new": "SUCCEEDED",
    "reason": None,
    "data": {},
    "at": ENDED,
}
_STREAM: Final = 'id: 4711\nevent: job\ndata: {"id": 4711, "kind": "job", "old": "RUNNING", "new": "SUCCEEDED", …}\n\n'

EXAMPLES: Final[dict[str, Example]] = {
    "submit_job": Example(WAITING, WANTED),
    "submit_jobs": Example(
        {
            "results": [
                {"index": 0, "job": BRIEF, "created": True, "problem": None},
                {
                    "index": 1,
                    "job": None,
                    "created": False,
                    "problem": {"status": 404, "code": "not_found", "detail": "There is no pipeline tabular-profil."},
                },
            ]
        },
        {"jobs": [WANTED, {"pipeline": "tabular-profil", "inputs": [FILE]}], "workspace": "lab", "atomic": False},
    ),
    "list_jobs": listing(BRIEF),
    "show_job": Example(WHOLE),
    "edit_job": Example({**WHOLE, "name": "November, final"}, {"name": "November, final", "labels": {"batch": "7"}}),
    "cancel_job": Example({**WAITING, "state": "RUNNING", "canceling": True, "waiting_reason": None}),
    "retry_job": Example(RUNNING_AGAIN),
    "rerun_items": Example(RUNNING_AGAIN, {"step": "convert", "items": [3, 17]}),
    "resubmit_job": Example({**WAITING, "id": NEW_JOB, "resubmitted_from": JOB}, {"params": {"sample_rows": 100000}}),
    "list_attempts": listing(
        {
            "id": ATTEMPT,
            "step": "convert",
            "item": 0,
            "source": "penguins.csv",
            "run": 1,
            "number": 1,
            "state": "SUCCEEDED",
            "exit_code": 0,
            "failure_kind": None,
            "detail": None,
            "progress": 1.0,
            "message": None,
            "started_at": STARTED,
            "finished_at": ENDED,
            "log_size": 312,
            "on_spot": None,
            "cost_usd": "0.0009",
        }
    ),
    "read_log": Example(answers={"text/plain": "Reading penguins.csv\n::progress 0.42 Counting\n"}),
    "list_results": listing(REPORT),
    "list_events": Example(listing(EVENT).answer, answers={"text/event-stream": _STREAM}),
    "list_workspace_events": Example(listing(EVENT).answer, answers={"text/event-stream": _STREAM}),
    "create_live_ticket": Example({"ticket": "eyJ…", "expires_in": 60}),
}
