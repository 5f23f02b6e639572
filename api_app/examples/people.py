"""Examples: members, invitations, notifications."""

from typing import Any, Final

from api_app.examples.form import NOTHING, Example, listing
from api_app.examples.ids import ENDED, INVITATION, JOB, MEMBER, NOTIFICATION, SUBMITTED

_INVITATION: Final = {
    "id": INVITATION,
    "workspace": "lab",
    "email": "grace@example.org",
    "role": "submitter",
    "invited_by": "ada",
    "created_at": SUBMITTED,
    "expires_at": "2026-11-09T09:14:03Z",
}
_NOTIFICATION: Final[dict[str, Any]] = {
    "id": NOTIFICATION,
    "kind": "job.failed",
    "workspace": "lab",
    "count": 1,
    "title": "March sales failed",
    "detail": "",
    "url": f"https://esteira.example.org/jobs/{JOB}/",
    "data": {"job": JOB, "name": "March sales", "pipeline": "tabular-profile", "since": ENDED},
    "read_at": None,
    "created_at": ENDED,
    "changed_at": ENDED,
}
_SETTINGS: Final[dict[str, Any]] = {
    "workspace": "lab",
    "choices": [{"kind": "job.failed", "in_app": True, "mail": "daily", "is_chosen": True}],
    "digest_hour": 7,
}

EXAMPLES: Final[dict[str, Example]] = {
    "list_members": listing(
        {
            "id": MEMBER,
            "user": "ada",
            "email": "ada@example.org",
            "role": "manager",
            "enabled": True,
            "has_second_factor": True,
        }
    ),
    "edit_member": Example(body={"role": "manager"}),
    "remove_member": NOTHING,
    "leave_workspace": NOTHING,
    "list_invitations": listing(_INVITATION),
    "create_invitation": Example({**_INVITATION, "link": None}, {"email": "grace@example.org", "role": "submitter"}),
    "revoke_invitation": NOTHING,
    "list_notifications": listing(_NOTIFICATION),
    "edit_notification": Example({**_NOTIFICATION, "read_at": ENDED}, {"read": True}),
    "read_notifications": Example({"marked": 3}, {"workspace": "lab"}),
    "show_notification_settings": Example(_SETTINGS),
    "edit_notification_settings": Example(
        _SETTINGS, {"choices": [{"kind": "job.failed", "in_app": True, "mail": "daily"}]}
    ),
}
