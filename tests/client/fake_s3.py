"""Object storage beside the fake platform: takes signed PUTs, knows no token, and says no in XML."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.client.fake_faults import Fault
from tests.client.fake_server import Handler, Platform, serve
from tests.client.fake_uploads import receive

CODES = {
    "checksum_mismatch": (400, "BadDigest"),
    "signature_invalid": (403, "SignatureDoesNotMatch"),
    "upload_not_open": (404, "NoSuchUpload"),
    "upload_expired": (404, "NoSuchUpload"),
    "wrong_length": (400, "IncompleteBody"),
}


class S3(Handler):
    def _handle(self) -> None:
        parts = urlsplit(self.path)
        self.is_mute = False
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.platform.s3.append((self.command, parts.path, headers))
        faults = self.platform.faults["S3 PUT"]
        if faults and faults.pop(0)(self):
            return
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        assert self.command == "PUT"
        trouble = receive(self, query, body)
        if trouble is None:
            self.reply(200, b"", {"ETag": '"e"', "x-amz-checksum-crc64nvme": query["c"]})
        else:
            self.xml(*CODES[trouble[1]])

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the base class calls them so

    def xml(self, status: int, code: str, message: str = "No.") -> None:
        self.close_connection = True
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
        self.reply(status, body.encode(), {"Content-Type": "application/xml", "Connection": "close"})


def says(status: int, code: str, message: str = "No.") -> Fault:
    """The next PUT is read and answered so."""

    def fault(handler: Handler) -> bool:
        assert isinstance(handler, S3)
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.xml(status, code, message)
        return True

    return fault


def keeps_and_says(status: int, code: str) -> Fault:
    """The part arrives, and the answer speaks of something else: an object is there already."""

    def fault(handler: Handler) -> bool:
        assert isinstance(handler, S3)
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        query = {name: values[-1] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        assert receive(handler, query, body) is None
        handler.xml(status, code)
        return True

    return fault


@contextmanager
def serve_s3(platform: Platform) -> Iterator[str]:
    with serve(platform, S3) as address:
        # Another host than the platform's, so that nothing is sent there by mistake of ours.
        platform.uploads.direct = re.sub("127.0.0.1", "localhost", address)
        yield platform.uploads.direct
