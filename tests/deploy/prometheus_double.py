"""Prometheus as the release sees it: answers by query, for real over HTTP, and remembers who asked."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, override
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Double:
    """`answer` gives labels → value for a query; None: it fails."""

    answer: Callable[[str], list[tuple[dict[str, str], float]] | None]
    queries: list[str] = field(default_factory=list)
    bearers: list[str] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(double: Double) -> Iterator[Double]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            bearer = self.headers.get("authorization", "")
            if "audience" in asked:  # GitHub's own service, which makes the tokens of a run
                double.audiences.append(asked["audience"])
                self._say(200, {"value": f"token-{len(double.audiences)}"} if bearer == "Bearer of-this-run" else {})
                return
            double.queries.append(asked["query"])
            double.bearers.append(bearer)
            found = double.answer(asked["query"])
            if found is None:
                self._say(503, {"status": "error"})
                return
            result = [{"metric": labels, "value": [0, str(value)]} for labels, value in found]
            self._say(200, {"status": "success", "data": {"resultType": "vector", "result": result}})

        def _say(self, status: int, said: Any) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
