"""Examples: who am I, tokens, pipelines, what a workspace holds."""

from typing import Final

from api_app.examples.form import NOTHING, Example, listing
from api_app.examples.ids import ACCOUNT, SHA256, TOKEN, WORKSPACE

_TOKEN: Final = {"id": TOKEN, "name": "my laptop", "scopes": ["read", "upload", "run"]}
_EXPIRES: Final = {"workspace": None, "expires_at": "2027-01-31T08:00:00Z"}
_LISTED: Final = {
    **_TOKEN,
    **_EXPIRES,
    "start": "est_pat_8Kf2",
    "created_at": "2026-11-02T08:00:00Z",
    "last_used_at": "2026-11-02T09:14:03Z",
    "last_used_ip": "192.0.2.7",
    "replaced_by": None,
}
_ACCOUNT: Final = {
    "id": ACCOUNT,
    "user": "lab-robot",
    "workspace": "lab",
    "role": "submitter",
    "enabled": True,
    "created_at": "2026-11-02T08:00:00Z",
}
PIPELINE: Final = {
    "name": "tabular-profile",
    "version": "1.0.0",
    "versions": ["1.0.0"],
    "title": "Profile a table",
    "description": "Statistics, types and charts of each column.",
    "accepts": {
        "types": ["text/csv", "text/tab-separated-values"],
        "max_size": None,
        "max_files": 10000,
        "min_files": 1,
    },
    "params": {
        "type": "object",
        "properties": {
            "sample_rows": {"type": "integer", "minimum": 100, "default": 100000, "title": "Rows to sample"}
        },
        "additionalProperties": False,
    },
    "steps": [
        {"name": "convert", "needs": [], "for_each": "input", "title": "Read the table"},
        {"name": "report", "needs": ["convert"], "for_each": None, "title": "Write the report"},
    ],
    "digest": SHA256,
}

EXAMPLES: Final[dict[str, Example]] = {
    "show_me": Example(
        {
            "user": "ada",
            "workspaces": [{"id": WORKSPACE, "slug": "lab", "name": "The lab", "role": "submitter"}],
        }
    ),
    "create_token": Example(
        {**_TOKEN, **_EXPIRES, "token": "est_pat_…"},
        {"name": "my laptop", "scopes": ["read", "upload", "run"], "expires_in_days": 90},
    ),
    "list_tokens": listing(_LISTED),
    "rotate_token": Example({**_TOKEN, **_EXPIRES, "token": "est_pat_…"}, {"overlap_hours": 24}),
    "revoke_token": NOTHING,
    "revoke_leaked_token": Example(body={"token": "est_pat_…"}),
    "create_service_account": Example(_ACCOUNT, {"name": "robot", "workspace": "lab", "role": "submitter"}),
    "list_service_accounts": listing(_ACCOUNT),
    "edit_service_account": Example({**_ACCOUNT, "enabled": False}, {"enabled": False}),
    "create_service_token": Example(
        {**_TOKEN, **_EXPIRES, "workspace": "lab", "token": "est_svc_…"}, {"name": "nightly load"}
    ),
    "list_service_tokens": listing({**_LISTED, "workspace": "lab", "start": "est_svc_x91Q"}),
    "list_pipelines": listing(PIPELINE),
    "show_pipeline": Example(PIPELINE),
    "show_usage": Example(
        {
            "workspace": "lab",
            "classes": {"upload": {"files": 12, "bytes": 48210}, "result": {"files": 31, "bytes": 902114}},
            "total": {"files": 43, "bytes": 950324},
            "stored_bytes": 941200,
            "saved_bytes": 9124,
            "reserved_bytes": 0,
            "used_bytes": 941200,
            "quota_bytes": 107374182400,
            "expiring": {"files": 2, "bytes": 2048},
            "held": {"files": 0, "bytes": 0},
            "budget": {
                "month": "2026-11",
                "budget_usd": "100.00",
                "spent_usd": "12.50",
                "expected_usd": "0.40",
                "left_usd": "87.10",
                "warn_percent": 80,
                "mode": "warn",
            },
        }
    ),
    "list_signing_keys": Example(
        {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "use": "sig",
                    "alg": "EdDSA",
                    "kid": SHA256,
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                    "pem": "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n",
                    "created_at": "2026-01-05T10:00:00Z",
                    "retired_at": None,
                    "revoked_at": None,
                    "revoked_reason": None,
                }
            ]
        }
    ),
}
