"""Examples: an upload in parts, and many small ones."""

from typing import Any, Final

from api_app.examples.files import TABLE, TABLE_TEXT
from api_app.examples.form import NOTHING, Example, listing
from api_app.examples.ids import CRC, UPLOAD

_WANTED: Final = {"name": "big.tif", "size": 5368709120, "workspace": "lab", "fingerprint": "big.tif-5368709120"}
_SMALL: Final = {"name": "penguins.csv", "size": 41, "crc64nvme": CRC}
_PUT: Final[dict[str, Any]] = {
    "number": 1,
    "method": "PUT",
    "url": f"/api/v1/uploads/{UPLOAD}/parts/1?signature=…",
    "headers": {"content-length": "16777216", "x-amz-checksum-crc64nvme": CRC},
    "expires_at": "2026-11-02T09:28:00Z",
}
OPEN: Final[dict[str, Any]] = {
    "id": UPLOAD,
    "state": "open",
    "workspace": "lab",
    "name": "big.tif",
    "path": "",
    "size": 5368709120,
    "content_type": "image/tiff",
    "fingerprint": "big.tif-5368709120",
    "door": "api",
    "mode": "parts",
    "transport": "app",
    "part_size": 16777216,
    "part_count": 320,
    "received": "1-57,60",
    "received_bytes": 973078528,
    "max_parallel": 8,
    "created_at": "2026-11-02T09:13:00Z",
    "expires_at": "2026-11-09T09:13:00Z",
    "put": None,
    "tus_url": None,
    "failure": None,
    "file": None,
}
COMPLETE: Final[dict[str, Any]] = {**OPEN, "state": "complete", "received": "1-320", "received_bytes": 5368709120}
_FILE: Final = {**TABLE, "name": "big.tif", "path": "", "size": 5368709120, "media_type": "image/tiff"}

EXAMPLES: Final[dict[str, Example]] = {
    "show_upload_config": Example(
        {
            "max_size": 5497558138880,
            "max_parts": 10000,
            "checksums": ["crc64nvme"],
            "checksum_required": True,
            "max_parallel": 8,
            "batch_max": 1000,
            "sign_max": 100,
            "inline_max": 8388608,
            "bundle_max": 8388608,
            "transport": "app",
            "tus": {"url": "/api/v1/tus", "extensions": ["creation", "termination", "checksum"]},
            "ttl_s": 604800,
        }
    ),
    "create_upload_or_file": Example(
        {**OPEN, "received": "", "received_bytes": 0},
        {**_WANTED, "resume": True},
        bodies={"application/octet-stream": TABLE_TEXT},
    ),
    "list_uploads": listing(OPEN),
    "show_upload": Example(OPEN),
    "sign_upload_parts": Example({"parts": [_PUT]}, {"parts": [{"number": 1, "crc64nvme": CRC}]}),
    "complete_upload": Example({**COMPLETE, "file": _FILE}, {"crc64nvme": CRC}),
    "abort_upload": NOTHING,
    "create_upload_batch": Example(
        {
            "results": [
                {"index": 0, "upload": {"id": UPLOAD, "state": "open", "put": _PUT, "file": None}, "problem": None}
            ]
        },
        {"uploads": [_SMALL], "workspace": "lab"},
    ),
    "complete_upload_batch": Example(
        {
            "results": [
                {"index": 0, "upload": {"id": UPLOAD, "state": "complete", "put": None, "file": TABLE}, "problem": None}
            ]
        },
        {"ids": [UPLOAD]},
    ),
    "sign_upload_batch": Example(
        {"results": [{"index": 0, "part": _PUT, "problem": None}]},
        {"parts": [{"id": UPLOAD, "number": 1, "crc64nvme": CRC}]},
    ),
}
