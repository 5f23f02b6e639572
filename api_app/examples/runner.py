"""Examples: what the runner of a step and the platform say to each other."""

from typing import Final

from api_app.examples.form import Example
from api_app.examples.ids import ATTEMPT, SHA256

_OUTPUT: Final = {"path": "report.html", "size": 18044, "sha256": SHA256}

EXAMPLES: Final[dict[str, Example]] = {
    "claim": Example(
        {"token": "eyJ…", "done": 0, "end": None, "detail": ""},
        {"batch_job": "6f0c1f0e-5d52-4d2b-9c2e-1c1f5c0f8a11", "batch_attempt": 1, "child": 3, "done": 0},
    ),
    "start": Example({"attempt": ATTEMPT}, {"runner": "1", "host": "worker-1", "pid": 4242}),
    "heartbeat": Example({"cancel": False}, {"progress": 0.42, "message": "Counting", "memory_bytes": 73400320}),
    "append_log": Example({"end": 312}, bodies={"application/octet-stream": "Reading penguins.csv\n"}),
    "outputs": Example(
        {
            "slots": [
                {"path": "report.html", "url": "https://…", "method": "PUT", "headers": {"content-length": "18044"}}
            ]
        },
        {"files": [_OUTPUT], "first": 0},
    ),
    "finish": Example(
        {}, {"outcome": "succeeded", "exit_code": 0, "outputs": [{**_OUTPUT, "media_type": "text/html"}], "usage": {}}
    ),
}
