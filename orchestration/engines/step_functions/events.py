"""Events of AWS about the engine's work → what the port calls them. They say nothing that a question would not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from orchestration.engines.base import ExecutionReport
from orchestration.engines.step_functions.blocked import blocked_by
from orchestration.engines.step_functions.pieces import STATES, piece_of
from orchestration.errors import EventRefused
from orchestration.states import ExecutionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.engines.base import Piece
    from orchestration.engines.step_functions.cell import Cell

BATCH_JOB: Final = "Batch Job State Change"
QUEUE_BLOCKED: Final = "Batch Job Queue Blocked"
EXECUTION: Final = "Step Functions Execution Status Change"
ENDS: Final = {
    "RUNNING": ExecutionState.RUNNING,
    "PENDING_REDRIVE": ExecutionState.RUNNING,
    "SUCCEEDED": ExecutionState.SUCCEEDED,
    "FAILED": ExecutionState.FAILED,
    "ABORTED": ExecutionState.CANCELED,
    "TIMED_OUT": ExecutionState.TIMED_OUT,
}
_MOMENT: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}Z$"
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 2048}
_SAID: Final = {"type": ["string", "null"], "maxLength": 1 << 15}
_TIME: Final = {"type": ["integer", "null"], "minimum": 0, "maximum": 1 << 48}
_CODE: Final = {"type": ["integer", "null"]}
_CONTAINER: Final = {
    "type": ["object", "null"],
    "properties": {"exitCode": _CODE, "reason": _SAID, "logStreamName": _SAID},
}
_TRY: Final = {
    "type": "object",
    "properties": {"container": _CONTAINER, "statusReason": _SAID, "startedAt": _TIME, "stoppedAt": _TIME},
}
_ARRAY: Final = {
    "type": ["object", "null"],
    "properties": {"index": {"type": "integer", "minimum": 0}, "size": {"type": ["integer", "null"], "minimum": 0}},
}


def _form(source: str, kind: str, required: list[str], properties: dict[str, Any]) -> Draft202012Validator:
    detail = {"type": "object", "required": required, "properties": properties}
    return Draft202012Validator(
        {
            "type": "object",
            "required": ["source", "account", "region", "detail-type", "detail"],
            "properties": {
                "source": {"const": source},
                "detail-type": {"const": kind},
                "account": {"type": "string"},
                "region": {"type": "string"},
                "time": {"type": "string", "pattern": _MOMENT},
                "detail": detail,
            },
        }
    )


_JOB: Final = {
    "jobId": _TEXT,
    "jobName": _TEXT,
    "jobQueue": _TEXT,
    "status": {"enum": list(STATES)},
    "statusReason": _SAID,
    "attempts": {"type": ["array", "null"], "maxItems": 100, "items": _TRY},
    "container": _CONTAINER,
    "arrayProperties": _ARRAY,
    "startedAt": _TIME,
}
_BATCH_FORM: Final = _form("aws.batch", BATCH_JOB, ["jobId", "jobName", "jobQueue", "status"], _JOB)
# Its detail is the job at the head of the queue, which keeps those behind it waiting.
_BLOCKED_FORM: Final = _form(
    "aws.batch",
    QUEUE_BLOCKED,
    ["jobId", "jobName", "jobQueue", "status", "statusReason"],
    _JOB | {"status": {"const": "RUNNABLE"}, "statusReason": _TEXT},
)
_EXECUTION_FORM: Final = _form(
    "aws.states",
    EXECUTION,
    ["name", "status", "stateMachineArn"],
    {
        "name": _TEXT,
        "status": {"enum": list(ENDS)},
        "stateMachineArn": _TEXT,
        "stopDate": _TIME,
        "error": _SAID,
        "cause": _SAID,
    },
)


def piece_in(event: Mapping[str, Any], *, cell: Cell) -> Piece:
    """Raises EventRefused for what is no such event, or one of another account, region or queue."""
    return _piece(event, _BATCH_FORM, cell)


def blocked_piece_in(event: Mapping[str, Any], *, cell: Cell) -> Piece:
    """The one that cannot start, with the reason. Raises EventRefused."""
    piece = _piece(event, _BLOCKED_FORM, cell)
    reason, sentence = blocked_by(event["detail"]["statusReason"])
    return replace(piece, waiting=reason, detail=sentence)


def _piece(event: Mapping[str, Any], form: Draft202012Validator, cell: Cell) -> Piece:
    detail = _checked(event, form, cell)
    if detail["jobQueue"] not in cell.queues:
        raise EventRefused(f"A job of {detail['jobQueue']}, which is no queue of ours.")
    try:
        said_at = datetime.fromisoformat(event["time"]) if "time" in event else None
    except ValueError as exc:  # the 31st of February has the form of a time
        raise EventRefused(f"Not a time: {event['time']}.") from exc
    return replace(piece_of(detail, log_group=cell.log_group), said_at=said_at)


def execution_in(event: Mapping[str, Any], *, cell: Cell) -> ExecutionReport:
    """Raises EventRefused for what is no such event, or one of another state machine."""
    detail = _checked(event, _EXECUTION_FORM, cell)
    if detail["stateMachineArn"] != cell.state_machine:
        raise EventRefused(f"An execution of {detail['stateMachineArn']}, which is not ours.")
    said = ": ".join(word for word in (detail.get("error"), detail.get("cause")) if word)
    stopped = detail.get("stopDate")
    return ExecutionReport(
        name=detail["name"],
        state=ENDS[detail["status"]],
        detail=said,
        ended_at=datetime.fromtimestamp(stopped / 1000, UTC) if stopped else None,
        may_be_late=True,
    )


def _checked(event: Mapping[str, Any], form: Draft202012Validator, cell: Cell) -> Mapping[str, Any]:
    wrong = next(form.iter_errors(event), None)
    if wrong is not None:
        raise EventRefused(f"Not an event of this kind: {wrong.json_path} {wrong.message[:200]}")
    if (event["region"], event["account"]) != (cell.region, cell.account):
        raise EventRefused(f"An event of account {event['account']} in {event['region']}, which is not ours.")
    detail: Mapping[str, Any] = event["detail"]
    return detail
