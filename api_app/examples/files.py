"""Examples: files, how long they are kept, ZIPs and manifests, share links."""

from typing import Any, Final

from api_app.examples.form import NOTHING, Example, listing
from api_app.examples.ids import CRC, ENDED, FILE, IN_A_YEAR, JOB, RESULT, SHA256, SHARE

TABLE_TEXT: Final = "species,island,mass_g\nAdelie,Biscoe,3750\n"
TABLE: Final[dict[str, Any]] = {
    "id": FILE,
    "name": "penguins.csv",
    "path": "2026/nov",
    "size": 41,
    "sha256": SHA256,
    "crc64nvme": CRC,
    "media_type": "text/csv",
    "kind": "upload",
    "scan_state": "clean",
    "created_at": "2026-11-02T09:13:58Z",
    "expires_at": IN_A_YEAR,
    "hold": False,
    "deleted_at": None,
    "undelete_until": None,
    "job": None,
    "step": None,
    "item": None,
}
REPORT: Final[dict[str, Any]] = {
    **TABLE,
    "id": RESULT,
    "name": "report.html",
    "path": "",
    "size": 18044,
    "media_type": "text/html",
    "kind": "result",
    "created_at": ENDED,
    "expires_at": "2031-11-01T09:14:11Z",
    "job": JOB,
    "step": "report",
    "item": 0,
}
_ZIP: Final = Example(answers={"application/zip": "PK… the bytes of a ZIP"})
_DELETED: Final = "2026-11-20T16:00:00Z"
_SHARE: Final[dict[str, Any]] = {
    "id": SHARE,
    "job": JOB,
    "name": "For the reviewers",
    "has_password": False,
    "with_manifest": True,
    "max_downloads": 50,
    "downloads": 3,
    "created_by": "ada",
    "created_at": "2026-11-02T09:30:00Z",
    "expires_at": "2026-11-09T09:30:00Z",
    "last_used_at": "2026-11-03T12:00:00Z",
    "revoked_at": None,
    "revoked_by": None,
}

EXAMPLES: Final[dict[str, Example]] = {
    "list_files": listing(TABLE),
    "show_file": Example(TABLE),
    "put_file": Example(TABLE, bodies={"application/octet-stream": TABLE_TEXT}),
    "download_file": Example(answers={"application/octet-stream": TABLE_TEXT, "*/*": TABLE_TEXT}),
    "download_files": Example(body={"ids": [FILE, RESULT]}, answers=_ZIP.answers),
    "download_results": _ZIP,
    "delete_file": NOTHING,
    "undelete_file": Example(TABLE),
    "extend_file": Example({**TABLE, "expires_at": "2027-12-31T23:59:59Z"}, {"until": "2027-12-31"}),
    "hold_file": Example({**TABLE, "hold": True}, {"reason": "Audit of the November run"}),
    "unhold_file": Example(TABLE, {"reason": "The audit is over"}),
    "show_receipt": Example(
        {
            "file": FILE,
            "workspace": "lab",
            **{name: TABLE[name] for name in ("name", "path", "kind", "media_type", "size", "sha256", "crc64nvme")},
            "created_at": TABLE["created_at"],
            "created_by": "ada",
            "expires_at": IN_A_YEAR,
            "deleted_at": _DELETED,
            "deleted_by": "ada",
            "rule": None,
            "undelete_until": "2026-12-20T16:00:00Z",
            "bytes": "kept",
            "released_at": None,
            "bytes_destroyed_at": None,
            "events": [
                {"at": _DELETED, "kind": "deleted", "by": "ada", "old": None, "new": None, "reason": None, "data": {}}
            ],
            "signed": False,
            "issued_at": "2026-11-21T08:00:00Z",
        }
    ),
    "show_manifest": Example(
        {
            "payloadType": "application/vnd.in-toto+json",
            "payload": "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEi4oCmfQ==",
            "signatures": [{"keyid": SHA256, "sig": "3q2+7w=="}],
        }
    ),
    "create_share": Example(
        {**_SHARE, "downloads": 0, "last_used_at": None, "url": f"https://esteira.example/s/{SHARE}/?key=…"},
        {"days": 7, "name": "For the reviewers", "max_downloads": 50, "with_manifest": True},
    ),
    "list_shares": listing(_SHARE),
    "revoke_share": Example({**_SHARE, "revoked_at": "2026-11-04T10:00:00Z", "revoked_by": "ada"}),
}
