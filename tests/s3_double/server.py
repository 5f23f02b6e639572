"""The server: HTTP/1.1 with keep-alive and Expect, a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import uuid
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, Self, cast, override

from tests.s3_double import cors, documents, signature
from tests.s3_double.body import Body
from tests.s3_double.errors import Dropped, Refused
from tests.s3_double.faults import Faults
from tests.s3_double.ledger import Call, Ledger
from tests.s3_double.operations import PREFLIGHT, Operation, find
from tests.s3_double.requests import Reply, Request, joined, parse_query
from tests.s3_double.signature import Credentials
from tests.s3_double.store import Bucket, Rules, Store

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

KEY_ID: Final = "AKIADOUBLE0000000000"
SECRET: Final = "double/secret/key/for/tests/only/0000000"
CHECKSUMS: Final = ("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-trailer")
CRC64: Final = ("x-amz-checksum-crc64nvme", "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-trailer")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    server: Server
    waits_for_continue = False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's own name
        """The ledger keeps it."""

    def handle_expect_100(self) -> bool:
        """Not yet: a refusal comes before the body is asked for."""
        self.waits_for_continue = True
        return True

    def _continue(self) -> None:
        if self.waits_for_continue:
            self.waits_for_continue = False
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()

    def _answer(self) -> None:
        double = self.server.double
        path, _, query = self.path.partition("?")
        headers = joined(self.headers.items())
        body = Body(cast("BinaryIO", self.rfile), headers, self._continue)
        request = Request(self.command, path, parse_query(query), headers, body)
        operation = find(request)
        name, code = operation.name, ""
        try:
            try:
                reply = double.perform(operation, request)
            except Refused as refused:
                code = refused.code
                reply = Reply(
                    refused.status, refused.headers | {"Content-Type": "application/xml"}, refused.document(path)
                )
            if self.waits_for_continue:
                self.waits_for_continue = False
                self.close_connection = True  # the body was never asked for, and may come all the same
            else:
                with contextlib.suppress(Refused):
                    body.drain()
            if not code and double.faults.takes("lose", name):
                raise Dropped  # noqa: TRY301 -- the same end as for a body that is cut
            # Before it is sent: a test that has the answer finds the call in the ledger.
            double.ledger.add(_call(name, request, reply.status, code, 0 if request.method == "HEAD" else reply.size))
            self._send(request, reply, cors.answer_headers(double.store, request))
        except Dropped:
            double.ledger.add(_call(name, request, 0, "", 0))
            self._drop()

    def _send(self, request: Request, reply: Reply, more: dict[str, str]) -> None:
        self.send_response(reply.status)
        size = str(reply.size)
        default = {"Content-Type": "application/xml"} if reply.body else {}
        always = {"x-amz-request-id": uuid.uuid4().hex[:16].upper(), "Content-Length": size}
        if reply.status == 204:
            del always["Content-Length"]
        for name, value in (default | reply.headers | more | always).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        is_head = request.method == "HEAD"
        if not is_head:
            self.wfile.write(reply.body)
        self.wfile.flush()
        for piece in [] if is_head else reply.pieces:
            with piece.path.open("rb") as file:
                self.connection.sendfile(file, piece.offset, piece.size)

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = _answer  # noqa: N815 -- the library's own names


def _call(name: str, request: Request, status: int, code: str, sent: int) -> Call:
    return Call(
        operation=name,
        bucket=request.bucket,
        key=request.key,
        query=dict(request.query),
        headers=request.headers,
        status=status,
        code=code,
        bytes_in=request.body.taken,
        bytes_out=sent,
    )


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for them
    request_queue_size = 128
    double: S3Double

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Handler)

    @override
    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
            self.connections += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error; anything else is a bug of the double, and is said aloud."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def end(self) -> None:
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class S3Double:
    """Path-style S3 at `endpoint`, for one pair of credentials."""

    default_region: ClassVar = "us-east-1"

    def __init__(self, folder: Path, *, region: str = default_region, token: str = "") -> None:
        self.credentials = Credentials(KEY_ID, SECRET, region, token)
        self.store = Store(folder)
        self.faults = Faults()
        self.ledger = Ledger()
        self._server = Server()
        self._server.double = self
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="s3-double")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.faults.clear()
        self._server.end()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def rules(self) -> Rules:
        return self.store.rules

    def add_bucket(self, name: str, *, versioning: str = "Enabled") -> Bucket:
        bucket = Bucket(name, versioning=versioning)
        self.store.buckets[name] = bucket
        return bucket

    def later(self, seconds: float) -> None:
        """Its clock goes ahead: URLs expire without a wait."""
        self.store.ahead_s += seconds

    def allow_origin(
        self, bucket: str, *origins: str, expose: tuple[str, ...] = ("ETag", "x-amz-checksum-crc64nvme")
    ) -> None:
        """The CORS rule that direct uploads from a page need."""
        rule = {
            "AllowedOrigin": list(origins),
            "AllowedMethod": ["PUT", "GET"],
            "AllowedHeader": ["*"],
            "ExposeHeader": list(expose),
        }
        self.store.bucket(bucket).documents["cors"] = documents.write("CORSConfiguration", {"CORSRule": rule})

    def perform(self, operation: Operation, request: Request) -> Reply:
        if operation is PREFLIGHT:
            return operation.call(self.store, request)
        signature.check(request, self.credentials, self.store.now())
        self.faults.before(operation.name)
        request.body.cut = self.faults.cut(operation.name)
        if self.faults.takes("inside_200", operation.name):
            return Reply(200, body=Refused("InternalError", "We encountered an internal error.").document())
        if self.rules.no_crc64:
            request = _without(request, CRC64 if _asks_for_crc64(request) else ())
        if self.rules.no_checksums:
            request = _without(request, [name for name in request.headers if name.startswith(CHECKSUMS)])
        try:
            return operation.call(self.store, request)
        except ValueError as error:
            raise Refused("MalformedXML", f"The XML you provided was not well-formed: {error}") from error


def _asks_for_crc64(request: Request) -> bool:
    return request.header("x-amz-checksum-algorithm").lower() in {"", "crc64nvme"}


def _without(request: Request, names: Collection[str]) -> Request:
    headers = {name: value for name, value in request.headers.items() if name not in names}
    request.body.headers = headers
    return replace(request, headers=headers)
