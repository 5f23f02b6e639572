"""The upload resource as docs/design/0003 has it, in memory; with a second address for bytes it is object storage."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from orchestration import crc64
from tests.client.fake_shapes import Json, file
from tests.client.fake_upload_rows import MIB, FakeUpload, crc_text

if TYPE_CHECKING:
    from tests.client.fake_server import Handler

type Query = dict[str, str]

MAX_PARTS = 10_000
PLAIN = ("id", "workspace", "name", "path", "size", "fingerprint", "part_size", "part_count", "mode", "state")


def _out(handler: "Handler", upload: FakeUpload) -> Json:
    said: Json = {name: getattr(upload, name) for name in PLAIN}
    numbers = sorted(upload.parts)
    return said | {
        "content_type": "",
        "transport": "direct" if handler.platform.uploads.direct else "app",
        "received": ",".join(map(str, numbers)),
        "received_bytes": sum(map(len, upload.parts.values())),
        "max_parallel": handler.platform.uploads.max_parallel,
        "created_at": upload.created_at,
        "expires_at": "2099-01-01T00:00:00Z" if upload.state == "open" else None,
        "put": _sign(handler, upload, 1, upload.crc64nvme) if upload.crc64nvme and upload.mode == "single" else None,
        "tus_url": None,
        "failure": upload.failure,
        "file": upload.file,
    }


def _sign(handler: "Handler", upload: FakeUpload, number: int, crc: str, said: int | None = None) -> Json:
    store, length = handler.platform.uploads, upload.length(number, said)
    store.signed.add((upload.id, number, length, crc))
    store.signed_in_order.append((upload.id, number, length, crc))
    query = f"l={length}&c={crc.replace('+', '%2B').replace('=', '%3D')}"
    where = f"{store.direct}/bucket" if store.direct else "/api/v1"
    return {
        "number": number,
        "method": "PUT",
        "url": f"{where}/uploads/{upload.id}/parts/{number}?{query}",
        "headers": {"content-length": str(length), "x-amz-checksum-crc64nvme": crc},
        "expires_at": "2099-01-01T00:00:00Z",
    }


def config(handler: "Handler", _query: Query, _body: bytes) -> None:
    limits = {"max_size": 5 << 40, "max_parts": MAX_PARTS, "batch_max": 1000, "sign_max": 100, "inline_max": 8 * MIB}
    transport = "direct" if handler.platform.uploads.direct else "app"
    most = handler.platform.uploads.max_parallel
    limits["bundle_max"] = handler.platform.uploads.bundle_max
    handler.json(200, limits | {"max_parallel": most, "checksums": ["crc64nvme"], "transport": transport})


def _begin(handler: "Handler", asked: Json, workspace: str) -> Json:
    """{upload} or {problem}."""
    store = handler.platform.uploads
    if "/" in asked["name"] or "\x07" in asked["name"]:
        return {"problem": {"status": 422, "code": "invalid_name", "detail": "The name cannot be kept."}}
    key = (asked.get("fingerprint"), asked["size"])
    for one in store.all.values():
        if asked.get("resume") and key[0] and (one.fingerprint, one.size) == key and one.state == "open":
            return {"upload": _out(handler, one)}
    made = FakeUpload(
        asked["name"],
        asked["size"],
        workspace,
        asked.get("path", ""),
        asked.get("fingerprint", ""),
        asked.get("crc64nvme", ""),
        store.part_size,
    )
    store.all[made.id] = made
    if made.size == 0:
        _finish(handler, made)
    return {"upload": _out(handler, made)}


def create(handler: "Handler", _query: Query, body: bytes) -> None:
    asked = json.loads(body)
    platform, key = handler.platform, handler.headers.get("Idempotency-Key")
    if key in platform.keys:
        handler.json(200, _out(handler, platform.uploads.all[platform.keys[key]]))
        return
    made = _begin(handler, asked, asked.get("workspace", "lab"))
    if "problem" in made:
        handler.problem(made["problem"]["status"], made["problem"]["code"], made["problem"]["detail"])
        return
    if key:
        platform.keys[key] = made["upload"]["id"]
    handler.json(201, made["upload"])


def create_many(handler: "Handler", _query: Query, body: bytes) -> None:
    assert len(body) <= MIB
    asked = json.loads(body)
    assert 1 <= len(asked["uploads"]) <= 1000
    made = [_begin(handler, one, asked.get("workspace", "lab")) for one in asked["uploads"]]
    handler.json(200, {"results": [{"index": index, **one} for index, one in enumerate(made)]})


def _found(handler: "Handler", upload_id: str) -> FakeUpload | None:
    found = handler.platform.uploads.all.get(upload_id)
    if found is None:
        handler.problem(404, "not_found", "There is no such upload of yours.")
    return found


def listing(handler: "Handler", query: Query, _body: bytes) -> None:
    found = [
        _out(handler, one)
        for one in reversed(handler.platform.uploads.all.values())
        if query.get("workspace", one.workspace) == one.workspace
        and query.get("state", one.state) == one.state
        and query.get("fingerprint", one.fingerprint) == one.fingerprint
    ]
    if handler.platform.uploads.direct:
        found = [one | {"received": None, "received_bytes": None} for one in found]
    handler.page(found, query)


def show(handler: "Handler", _query: Query, _body: bytes, upload_id: str) -> None:
    found = _found(handler, upload_id)
    if found is None:
        return
    if found.state == "completing":
        found.asks_until_complete -= 1
        if found.asks_until_complete <= 0:
            _finish(handler, found)
    handler.json(200, _out(handler, found))


def _refuse_ended(handler: "Handler", upload: FakeUpload) -> bool:
    if upload.state == "open":
        return False
    status, code = (410, "upload_expired") if upload.state == "expired" else (409, "upload_not_open")
    handler.problem(status, code, f"The upload is {upload.state}.")
    return True


def sign(handler: "Handler", _query: Query, body: bytes, upload_id: str) -> None:
    found = _found(handler, upload_id)
    if found is None or _refuse_ended(handler, found):
        return
    asked = json.loads(body)["parts"]
    assert 1 <= len(asked) <= 100
    for one in asked:
        if found.mode == "single" and found.crc64nvme not in {"", one["crc64nvme"]}:
            handler.problem(422, "invalid", "This upload was begun with another crc64nvme.")
            return
    store = handler.platform.uploads
    signed = [_sign(handler, found, one["number"], one["crc64nvme"], one.get("size")) for one in asked]
    store.ahead.append(len(store.signed) - len(store.puts))
    handler.json(200, {"parts": signed})


def put_part(handler: "Handler", query: Query, length: int) -> None:
    """Of the platform. Object storage answers in XML: tests/client/fake_s3.py."""
    if handler.platform.uploads.forgets:
        _swallow(handler, query, length)
        return
    trouble = receive(handler, query, handler.rfile.read(length))
    if trouble is None:
        handler.reply(200, b"", {"ETag": f'"{query["c"]}"', "x-amz-checksum-crc64nvme": query["c"]})
    else:
        handler.problem(trouble[0], trouble[1], "This part was not taken.")


def put_bundle(handler: "Handler", body: bytes) -> None:
    """Of each file the line and the bytes, as strictly as the platform reads them."""
    assert handler.headers.get("Authorization") is None
    store, results, at = handler.platform.uploads, list[Json](), 0
    assert 0 < len(body) <= store.bundle_max
    while at < len(body):
        end = body.index(b"\n", at)
        length, _, address = body[at:end].decode().partition(" ")
        at = end + 1 + int(length)
        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        trouble = take(handler, parts.path, query, body[end + 1 : at])
        problem = {"status": trouble[0], "code": trouble[1], "detail": "Not taken."} if trouble else None
        results.append({"index": len(results), "problem": problem})
    store.bundles.append(len(results))
    handler.json(200, {"results": results})


def _swallow(handler: "Handler", query: Query, length: int) -> None:
    crc, left = crc64.EMPTY, length
    while left and (block := handler.rfile.read(min(MIB, left))):
        crc, left = crc64.update(block, crc), left - len(block)
    assert crc64.to_text(crc) == query["c"]
    _, _, upload_id, _, number = handler.path.partition("?")[0].removeprefix("/api/v1").split("/")
    handler.platform.uploads.all[upload_id].parts[int(number)] = b"x"
    handler.reply(200, b"")


def receive(handler: "Handler", query: Query, body: bytes) -> tuple[int, str] | None:
    """Keep the part, or (status, code) of why not. Strict: exactly what was signed, and no token."""
    assert handler.headers.get("Authorization") is None, "a signed address needs no token, and S3 refuses one"
    assert handler.headers.get("Transfer-Encoding") is None
    told = (handler.headers["Content-Length"], handler.headers["x-amz-checksum-crc64nvme"])
    trouble = take(handler, handler.path, query, body)
    assert (trouble or ("",))[-1] == "signature_invalid" or told == (query["l"], query["c"])
    return trouble


def take(handler: "Handler", path: str, query: Query, body: bytes) -> tuple[int, str] | None:
    place = re.search(r"/uploads/([^/]+)/parts/(\d+)", path)
    assert place, path
    upload_id, number, store = place[1], int(place[2]), handler.platform.uploads
    if (upload_id, number, int(query["l"]), query["c"]) not in store.signed:
        return 403, "signature_invalid"
    upload = store.all.get(upload_id)
    if upload is None or upload.state != "open":
        return (410, "upload_expired") if upload and upload.state == "expired" else (409, "upload_not_open")
    store.puts.append((upload_id, number, len(body)))
    if crc_text(body) != query["c"]:
        return 400, "checksum_mismatch"
    upload.parts.setdefault(number, body)
    return None


def _finish(handler: "Handler", upload: FakeUpload) -> None:
    data = b"".join(upload.parts[number] for number in sorted(upload.parts))
    upload.state = "complete"
    found = {
        "path": upload.path,
        "crc64nvme": crc_text(data),
        "sha256": "",
        "created_at": datetime.now(UTC).isoformat(),
    }
    upload.file = file(upload.name, data, kind="upload", **found)
    handler.platform.files[upload.file["id"]] = upload.file
    handler.platform.contents[upload.file["id"]] = data


def _missing(upload: FakeUpload) -> list[int]:
    last = upload.part_count or max(upload.parts, default=1)
    return [number for number in range(1, last + 1) if number not in upload.parts]


def _complete(handler: "Handler", upload: FakeUpload, crc: str, size: int | None) -> Json | None:
    """The problem, if there is one."""
    if upload.state in {"complete", "completing"}:
        return None
    if upload.state != "open":
        return {
            "status": 409,
            "code": "upload_not_open",
            "detail": f"The upload is {upload.state}.",
            "state": upload.state,
        }
    if missing := _missing(upload):
        said = ",".join(map(str, missing))
        return {"status": 409, "code": "parts_missing", "detail": f"Missing: {said}.", "missing": said}
    data = b"".join(upload.parts[number] for number in sorted(upload.parts))
    assert handler.platform.uploads.forgets or size in {None, len(data)}
    if not handler.platform.uploads.forgets and (crc or upload.crc64nvme) not in {"", crc_text(data)}:
        upload.state, upload.parts = "failed", {}
        upload.failure = {"code": "checksum_mismatch", "detail": "Other bytes arrived than were announced."}
        return {"status": 422, **upload.failure}
    if handler.platform.uploads.slow_completions:
        upload.state, upload.asks_until_complete = "completing", handler.platform.uploads.slow_completions
    else:
        _finish(handler, upload)
    return None


def complete(handler: "Handler", _query: Query, body: bytes, upload_id: str) -> None:
    found = _found(handler, upload_id)
    if found is None:
        return
    asked = json.loads(body)
    problem = _complete(handler, found, asked.get("crc64nvme", ""), asked.get("size"))
    if problem:
        handler.reply(problem["status"], json.dumps(problem).encode(), {"Content-Type": "application/problem+json"})
    elif found.state == "completing":
        body = json.dumps(_out(handler, found)).encode()
        handler.reply(202, body, {"Content-Type": "application/json", "Retry-After": "1"})
    else:
        handler.json(200, _out(handler, found))


def complete_many(handler: "Handler", _query: Query, body: bytes) -> None:
    results: list[Json] = []
    for index, upload_id in enumerate(json.loads(body)["ids"]):
        found = handler.platform.uploads.all[upload_id]
        problem = _complete(handler, found, "", None)
        results.append({"index": index, "problem": problem, "upload": None if problem else _out(handler, found)})
    assert len(results) <= 1000
    handler.json(200, {"results": results})


def abort(handler: "Handler", _query: Query, _body: bytes, upload_id: str) -> None:
    found = _found(handler, upload_id)
    if found is not None:
        found.state = "aborted" if found.state == "open" else found.state
        handler.reply(204, b"")


UPLOAD_ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"GET /uploads/config", config),
    (r"POST /uploads", create),
    (r"POST /uploads:batch", create_many),
    (r"POST /uploads:complete", complete_many),
    (r"GET /uploads", listing),
    (r"GET /uploads/([^/]+)", show),
    (r"POST /uploads/([^/]+)/parts", sign),
    (r"POST /uploads/([^/]+)/complete", complete),
    (r"DELETE /uploads/([^/]+)", abort),
]
