"""Examples: GA4GH's doors, a run of a pipeline and a task of two words."""

import json
from typing import Any, Final

from api_app.examples.form import Example
from api_app.examples.ids import ATTEMPT, ENDED, FILE, JOB, RESULT, STARTED, SUBMITTED

_PARAMS: Final = {"inputs": [f"esteira:{FILE}"]}
_RUN: Final[dict[str, Any]] = {
    "workflow_url": "esteira:tabular-profile",
    "workflow_type": "ESTEIRA",
    "workflow_type_version": "1.0",
}
_SERVICE: Final[dict[str, Any]] = {
    "name": "Esteira",
    "description": "Files go in, versioned pipelines run over them, results come out.",
    "organization": {"name": "files.example.org", "url": "https://files.example.org"},
    "documentationUrl": "https://files.example.org/docs/api/",
    "version": "0.1.0",
}
_STATUS: Final = {"run_id": JOB, "state": "COMPLETE"}
_TASK_LOG: Final = {
    "name": "profile",
    "start_time": STARTED,
    "end_time": ENDED,
    "exit_code": 0,
    "stdout": f"https://files.example.org/api/v1/attempts/{ATTEMPT}/log",
    "id": ATTEMPT,
}
_TASK: Final[dict[str, Any]] = {
    "name": "count lines",
    "inputs": [{"url": f"esteira:{FILE}", "path": "/data/penguins.csv"}],
    "outputs": [{"url": "esteira:lines.txt", "path": "/data/lines.txt"}],
    "executors": [{"image": "debian:13", "command": ["wc", "-l", "/data/penguins.csv"], "stdout": "/data/lines.txt"}],
    "resources": {"cpu_cores": 1, "ram_gb": 1.0},
}
_STATE: Final = {"id": JOB, "state": "COMPLETE"}

EXAMPLES: Final[dict[str, Example]] = {
    "show_wes_service": Example(
        {
            **_SERVICE,
            "id": "org.example.files.esteira.wes",
            "type": {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"},
            "workflow_type_versions": {"ESTEIRA": {"workflow_type_version": ["1.0"]}},
            "supported_wes_versions": ["1.1.0"],
            "supported_filesystem_protocols": ["esteira"],
            "workflow_engine_versions": {"esteira": {"workflow_engine_version": ["0.1.0"]}},
            "default_workflow_engine_parameters": [{"name": "priority", "type": "integer", "default_value": "0"}],
            "system_state_counts": {"RUNNING": 2},
            "auth_instructions_url": "https://files.example.org/tokens/",
            "tags": {"pipelines": "image-set, inspect, tabular-profile"},
        }
    ),
    "list_runs": Example(
        {"runs": [{**_STATUS, "start_time": STARTED, "end_time": ENDED, "tags": {}}], "next_page_token": ""}
    ),
    "begin_run": Example(
        {"run_id": JOB}, bodies={"multipart/form-data": {**_RUN, "workflow_params": json.dumps(_PARAMS)}}
    ),
    "show_run": Example(
        {
            **_STATUS,
            "request": {
                **_RUN,
                "workflow_params": _PARAMS,
                "tags": {},
                "workflow_engine_parameters": {},
                "workflow_engine": "esteira",
                "workflow_engine_version": "0.1.0",
            },
            "run_log": {"name": "tabular-profile", "start_time": STARTED, "end_time": ENDED},
            "task_logs_url": f"https://files.example.org/ga4gh/wes/v1/runs/{JOB}/tasks",
            "outputs": {"report.html": f"https://files.example.org/api/v1/files/{RESULT}/content"},
        }
    ),
    "show_run_status": Example(_STATUS),
    "cancel_run": Example({"run_id": JOB}),
    "list_run_tasks": Example({"task_logs": [_TASK_LOG], "next_page_token": ""}),
    "show_run_task": Example(_TASK_LOG),
    "show_tes_service": Example(
        {
            **_SERVICE,
            "id": "org.example.files.esteira.tes",
            "type": {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"},
            "storage": ["esteira"],
            "tesResources_backend_parameters": [],
        }
    ),
    "create_task": Example({"id": JOB}, _TASK),
    "list_tasks": Example({"tasks": [_STATE], "next_page_token": None}),
    "show_task": Example({**_STATE, **_TASK, "creation_time": SUBMITTED}),
    "cancel_task": Example({}),
}
