"""Where an answer leads: what was made is read, changed and ended by its id (OpenAPI's links)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class _Way(NamedTuple):
    parameter: str
    to: tuple[str, ...]
    field: str = "id"


_JOB: Final = _Way(
    "job_id",
    (
        "show_job",
        "edit_job",
        "cancel_job",
        "retry_job",
        "resubmit_job",
        "list_events",
        "list_attempts",
        "list_results",
        "create_share",
        "list_shares",
    ),
)
_FILE: Final = _Way(
    "file_id",
    (
        "show_file",
        "download_file",
        "extend_file",
        "hold_file",
        "unhold_file",
        "delete_file",
        "undelete_file",
        "show_receipt",
    ),
)
_UPLOAD: Final = _Way("upload_id", ("show_upload", "sign_upload_parts", "complete_upload", "abort_upload"))
_WEBHOOK: Final = _Way(
    "webhook_id",
    (
        "show_webhook",
        "edit_webhook",
        "rotate_webhook_secret",
        "test_webhook",
        "list_deliveries",
        "replay_missed_deliveries",
        "delete_webhook",
    ),
)
_ACCOUNT: Final = _Way("account_id", ("edit_service_account", "create_service_token", "list_service_tokens"))
_TOKEN: Final = _Way("token_id", ("rotate_token", "revoke_token"))
_RUN: Final = _Way("run_id", ("show_run", "show_run_status", "list_run_tasks", "cancel_run"), "run_id")

_WAYS: Final[dict[str, _Way]] = {
    "submit_job": _JOB,
    "resubmit_job": _JOB,
    "create_upload_or_file": _UPLOAD,
    "put_file": _FILE,
    "create_share": _Way("share_id", ("revoke_share",)),
    "begin_bulk": _Way("bulk_id", ("show_bulk", "list_bulk_items", "cancel_bulk")),
    "create_webhook": _WEBHOOK,
    "create_service_account": _ACCOUNT,
    "create_token": _TOKEN,
    "rotate_token": _TOKEN,
    "create_service_token": _TOKEN,
    "create_invitation": _Way("invitation_id", ("revoke_invitation",)),
    "begin_run": _RUN,
    "create_task": _Way("task_id", ("show_task", "cancel_task")),
}


def links_of(operation: str) -> dict[str, Any]:
    way = _WAYS.get(operation)
    if way is None:
        return {}
    source = f"$response.body#/{way.field}"
    return {name: {"operationId": name, "parameters": {way.parameter: source}} for name in way.to}
