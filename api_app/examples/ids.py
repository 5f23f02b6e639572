"""The ids, digests and times of the examples: the same thing has the same id wherever it is spoken of."""

from typing import Any, Final

FILE: Final = "0199f6a2-5c10-7d3e-9b41-3f2a6c8e1d07"
RESULT: Final = "0199f6a3-9e44-7f02-8c55-a1b2c3d4e5f6"
JOB: Final = "0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52"
NEW_JOB: Final = "0199f6b1-02cd-7e88-b3a4-5c6d7e8f9012"
ATTEMPT: Final = "0199f6a2-8f70-7a2b-9d1c-0e1f2a3b4c5d"
UPLOAD: Final = "0199f6a0-1b2c-7d3e-8f40-516273849506"
BULK: Final = "0199f6c0-3d4e-7f50-a162-b3c4d5e6f708"
SHARE: Final = "0199f6c4-5e6f-7081-9293-a4b5c6d7e8f9"
TOKEN: Final = "0199f5ff-0a1b-7c2d-8e3f-405162738495"  # noqa: S105  an id
WEBHOOK: Final = "0199f6d0-7f80-7192-a3b4-c5d6e7f80910"
DELIVERY: Final = "0199f6d1-8091-72a3-b4c5-d6e7f8091a2b"
WORKSPACE: Final = "0199f500-1122-7334-8556-677889900aab"

SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CRC: Final = "rosUhgp5mIg="
SUBMITTED: Final = "2026-11-02T09:14:03Z"
STARTED: Final = "2026-11-02T09:14:04Z"
ENDED: Final = "2026-11-02T09:14:11Z"
IN_A_YEAR: Final = "2027-11-02T09:13:58Z"

MEMBER: Final = "0199f5fd-2a3b-7c4d-8e5f-607182930405"
INVITATION: Final = "0199f5fc-192a-7b3c-8d4e-5f6071829304"
NOTIFICATION: Final = "0199f6e0-91a2-73b4-85c6-d7e8f9010213"
ACCOUNT: Final = "0199f5fe-3b4c-7d5e-8f60-718293a4b5c6"

PARAMETERS: Final[dict[str, Any]] = {
    "account_id": ACCOUNT,
    "attempt_id": ATTEMPT,
    "bulk_id": BULK,
    "delivery_id": DELIVERY,
    "file_id": FILE,
    "invitation_id": INVITATION,
    "job_id": JOB,
    "member_id": MEMBER,
    "notification_id": NOTIFICATION,
    "share_id": SHARE,
    "token_id": TOKEN,
    "upload_id": UPLOAD,
    "webhook_id": WEBHOOK,
    "run_id": JOB,
    "task_id": JOB,
    "slug": "lab",
    "file": [RESULT],
    "offset": 0,
    "idempotency-key": "4f1c2a90-load-2026-11-02",
}
"""By name; where an operation's parameter of that name means something else, its path decides below."""

BY_OPERATION: Final[dict[tuple[str, str], Any]] = {
    ("show_pipeline", "name"): "tabular-profile",
    ("put_file", "file_id"): "penguins.csv",
    ("show_run_task", "task_id"): ATTEMPT,
}
