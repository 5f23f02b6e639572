"""A stand-in for the platform over real sockets: it keeps files and jobs, and breaks the way a test asks for."""

import base64
import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.client.fake_faults import Fault, hang_up
from tests.client.fake_routes import ROUTES
from tests.client.fake_shapes import END, NOW, Json, attempt, file, job, pipeline, table_pipeline
from tests.client.fake_upload_rows import Uploads
from tests.client.fake_uploads import put_bundle, put_part

TOKEN = "est_test"
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
NUMBER = re.compile(r"(?<=/parts/)\d+$")


class Platform:
    """What the server knows, and what it is told to do wrong."""

    def __init__(self) -> None:
        self.files: dict[str, Json] = {}
        self.contents: dict[str, bytes] = {}
        self.jobs: dict[str, Json] = {}
        self.keys: dict[str, str] = {}
        self.attempts: dict[str, list[Json]] = defaultdict(list)
        self.logs: dict[str, tuple[bytes, bool]] = {}
        self.events: dict[str, list[Json]] = defaultdict(list)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.filters: list[str] = []
        self.bulk: Json = {
            "id": "b1", "q": "", "done": 0, "refused": 0, "skipped": 0, "created_at": NOW, "canceled_at": None,
            "finished_at": None,
        }  # fmt: skip
        self.bodies: list[Any] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.pipelines = {"inspect": pipeline("inspect"), "tabular-profile": table_pipeline()}
        # What becomes of a job: changes, applied one after another each time somebody asks.
        self.script: list[Json] = [{"state": "SUCCEEDED", "finished_at": END}]
        self.events_a_connection = 2
        self.tokens: list[str] = [TOKEN]
        self.token_rows: list[Json] = []
        self.uploads = Uploads()
        self.manifest: Json = {}
        self.signing_keys: Json = {"keys": []}
        self.s3: list[tuple[str, str, dict[str, str]]] = []

    def fail(self, call: str, *faults: Fault) -> None:
        """The next calls like "POST /jobs" go wrong, one fault each."""
        self.faults[call] += faults

    def calls(self, method: str, path: str) -> list[dict[str, str]]:
        return [headers for one, where, headers in self.requests if one == method and where == path]

    def add_file(self, name: str, content: bytes, **changes: Any) -> Json:
        made = file(name, content, **changes)
        self.files[made["id"]] = made
        self.contents[made["id"]] = content
        return made

    def add_job(self, **changes: Any) -> Json:
        made = job(**changes)
        self.jobs[made["id"]] = made
        return made

    def add_log(self, job_id: str, content: bytes, *, complete: bool = True, **changes: Any) -> Json:
        one = attempt(**changes)
        self.attempts[job_id].append(one)
        self.logs[one["id"]] = (content, complete)
        return one


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    is_mute = False

    @property
    def platform(self) -> Platform:
        assert isinstance(self.server, Server)
        return self.server.platform

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""

    def _handle(self) -> None:
        self.is_mute = False
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v1")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.platform.requests.append((self.command, path, headers))
        if any(faults and faults.pop(0)(self) for faults in self._faults(path)):
            return
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if self.command == "PUT":
            with self.platform.uploads.sending:
                put_part(self, query, int(headers["content-length"]))
            return
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if (self.command, path) == ("POST", "/uploads:put"):
            put_bundle(self, body)
            return
        if not self._is_known(headers):
            self.problem(401, "not_authenticated", "Who are you?")
            return
        for pattern, route in ROUTES:
            found = re.fullmatch(pattern, f"{self.command} {path}")
            if found:
                route(self, query, body, *found.groups())
                return
        self.problem(404, "not_found", "There is no such thing.")

    def _faults(self, path: str) -> list[list[Fault]]:
        """Of this very call, and of all like it: PUT /uploads/*/parts/2, PUT /uploads/*/parts/*."""
        names = dict.fromkeys([path, ID.sub("*", path), NUMBER.sub("*", ID.sub("*", path))])
        return [self.platform.faults[f"{self.command} {name}"] for name in names]

    def _is_known(self, headers: dict[str, str]) -> bool:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            return base64.b64decode(secret) == b"ana:secret"
        return kind == "Bearer" and secret in self.platform.tokens

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the base class calls them so

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        if self.is_mute:
            hang_up()(self)
            return
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status: int, value: Any) -> None:
        self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def problem(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        # The body may be unread: what is left of it must not be taken for the next request.
        self.close_connection = True
        body = {"type": "about:blank", "title": "No", "status": status, "detail": detail, "code": code}
        told = {"Content-Type": "application/problem+json", "Connection": "close"}
        self.reply(status, json.dumps(body).encode(), told | (headers or {}))

    def page(self, items: list[Any], query: dict[str, str]) -> None:
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 50))
        end = start + limit
        cursor = str(end) if end < len(items) else None
        self.json(200, {"items": items[start:end], "next_cursor": cursor})

    @staticmethod
    def digest(content: bytes) -> dict[str, str]:
        return {"Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    platform: Platform

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""


@contextmanager
def serve(platform: Platform, handler: type[Handler] = Handler) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), handler)
    server.platform = platform
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
