"""Step Functions and Batch as a dispatcher sees them, with real token buckets: who asks too often is throttled."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE: Final = "eu-west-1:123456789012"
MACHINE: Final = f"arn:aws:states:{PLACE}:stateMachine:esteira"
SETTINGS: Final = {
    "AWS_ACCESS_KEY_ID": "double",
    "AWS_SECRET_ACCESS_KEY": "double",
    "NO_PROXY": "127.0.0.1",
    "ESTEIRA_ENGINE": "aws",
    "ESTEIRA_STATE_MACHINE": MACHINE,
    "ESTEIRA_BATCH_QUEUE": f"arn:aws:batch:{PLACE}:job-queue/esteira",
    "ESTEIRA_BATCH_IMAGE": f"platform@sha256:{'a' * 64}",
    "ESTEIRA_BATCH_LOG_GROUP": "/esteira/steps",
    "ESTEIRA_MANIFESTS": "s3://esteira-manifests/runs",
}


@dataclass(slots=True)
class Bucket:
    burst: float
    per_second: float
    tokens: float = -1
    at: float = field(default_factory=time.monotonic)

    def take(self, number: float = 1) -> bool:
        now = time.monotonic()
        filled = self.burst if self.tokens < 0 else self.tokens + (now - self.at) * self.per_second
        self.tokens, self.at = min(self.burst, filled), now
        if self.tokens < number:
            return False
        self.tokens -= number
        return True


@dataclass(slots=True)
class PacedAws:
    """`overrun`: Batch jobs that a state machine had to submit faster than its account may."""

    starts: Bucket
    submits: Bucket
    url: str = ""
    given: dict[str, str] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    throttled: int = 0
    repeated: int = 0
    overrun: int = 0
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def again(self, starts: Bucket, submits: Bucket) -> None:
        with self._one_at_a_time:
            self.starts, self.submits = starts, submits
            self.times.clear()
            self.given.clear()
            self.throttled = self.repeated = self.overrun = 0

    def answer(self, path: str, target: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._one_at_a_time:
            match target.rpartition(".")[2] or path.rpartition("/")[2]:
                case "StartExecution":
                    return self._start(asked)
                case "DescribeExecution":
                    return 400, {"__type": "ExecutionDoesNotExist", "message": "Not here."}
                case "registerjobdefinition":
                    name = asked["jobDefinitionName"]
                    arn = f"arn:aws:batch:{PLACE}:job-definition/{name}:1"
                    return 200, {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": 1}
                case "describejobdefinitions":
                    return 200, {"jobDefinitions": []}
                case "describejobs":
                    return 200, {"jobs": []}
                case _:
                    return 400, {"__type": "ValidationException", "message": f"Not for {path} {target}."}

    def _start(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = asked["name"]
        said = {"executionArn": f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}", "startDate": 1.0}
        if not self.starts.take():
            self.throttled += 1
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        if name in self.given:
            self.repeated += 1
            same = self.given[name] == asked["input"]
            return (200, said) if same else (400, {"__type": "ExecutionAlreadyExists", "message": "Other input."})
        self.given[name] = asked["input"]
        self.times.append(time.monotonic())
        steps = sum(len(stage["steps"]) for stage in json.loads(asked["input"])["stages"])
        self.overrun += not self.submits.take(steps)
        return 200, said


@contextmanager
def paced_aws(starts: Bucket, submits: Bucket) -> Iterator[PacedAws]:
    aws = PacedAws(starts, submits)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, said = aws.answer(self.path, self.headers.get("X-Amz-Target", ""), json.loads(body or b"{}"))
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        aws.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield aws
        finally:
            server.shutdown()
            thread.join()
