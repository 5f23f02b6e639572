"""Answers of the platform, as docs/design/0001 fixes them, with something in every field."""

import hashlib
import uuid
from typing import Any

NOW = "2026-01-01T12:00:00Z"
END = "2026-01-01T12:00:03Z"

type Json = dict[str, Any]


def new_id() -> str:
    return str(uuid.uuid4())


def file(name: str, content: bytes, **changes: Any) -> Json:
    return {
        "id": new_id(),
        "name": name,
        "path": "",
        "size": len(content),
        "crc64nvme": "",
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "text/plain",
        "kind": "result",
        "scan_state": "clean",
        "created_at": NOW,
        "expires_at": None,
        "job": None,
        "step": None,
        "item": None,
    } | changes


def pipeline(name: str) -> Json:
    return {
        "name": name,
        "version": "1.0.0",
        "versions": ["1.0.0"],
        "title": f"The pipeline {name}",
        "description": "Looks into files.",
        "accepts": {"types": ["*/*"], "max_size": None, "max_files": 10000, "min_files": 1},
        "params": {"type": "object", "properties": {}},
        "steps": [{"name": "look", "needs": [], "for_each": "input", "title": "Look into the files"}],
        "digest": "0" * 64,
    }


def table_pipeline() -> Json:
    return pipeline("tabular-profile") | {
        "versions": ["1.1.0", "1.0.0"],
        "accepts": {
            "types": ["text/csv", "text/tab-separated-values"],
            "max_size": 100,
            "max_files": 2,
            "min_files": 1,
        },
        "params": {
            "type": "object",
            "properties": {
                "sample_rows": {"type": "integer", "minimum": 100, "maximum": 1000, "default": 200, "title": "Rows"},
                "charts": {"type": "boolean", "default": True},
                "sizes": {"type": "array", "items": {"type": "integer"}},
                "format": {"type": "string", "enum": ["html", "pdf"]},
            },
        },
    }


def job(**changes: Any) -> Json:
    made: Json = {
        "id": new_id(),
        "name": "",
        "workspace": "lab",
        "pipeline": "inspect",
        "pipeline_version": "1.0.0",
        "pipeline_title": "Inspect files",
        "state": "QUEUED",
        "canceling": False,
        "waiting_reason": None,
        "waiting_detail": None,
        "queue_position": None,
        "failure_kind": None,
        "failure_detail": None,
        "run": 1,
        "params": {},
        "labels": {},
        "priority": 0,
        "progress": 0.0,
        "created_by": "ana",
        "created_at": NOW,
        "queued_at": NOW,
        "started_at": None,
        "finished_at": None,
        "resubmitted_from": None,
        "inputs": [],
        "steps": [step()],
        "results": [],
    }
    made["url"] = f"/jobs/{made['id']}"
    return made | changes


def step(**changes: Any) -> Json:
    return {
        "name": "look",
        "title": "Look into the files",
        "state": "WAITING",
        "items_total": 1,
        "items_succeeded": 0,
        "items_failed": 0,
        "items_running": 0,
        "progress": 0.0,
        "message": None,
        "started_at": None,
        "finished_at": None,
    } | changes


def attempt(**changes: Any) -> Json:
    return {
        "id": new_id(),
        "step": "look",
        "item": 0,
        "source": "a.txt",
        "run": 1,
        "number": 1,
        "state": "SUCCEEDED",
        "exit_code": 0,
        "failure_kind": None,
        "detail": None,
        "progress": 1.0,
        "message": None,
        "started_at": NOW,
        "finished_at": END,
        "log_size": 0,
    } | changes
