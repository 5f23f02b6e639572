"""tus-js-client and Uppy, unmodified, in a real browser against the real process."""

from __future__ import annotations

import hashlib
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.models import File, Upload
from orchestration.states import UploadState
from tests.api.door import token_of
from tests.asgi.browser_page import run, sending_page
from tests.asgi.npm import TUS, UPPY
from tests.asgi.server import Server, serving
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(240)]
SIZE = 20_000_003
SEND = """
    const sent = [];
    const upload = await new Promise((resolve, reject) => {
        const upload = new tus.Upload(files[0], {
            endpoint: '/api/v1/tus', headers: {Authorization: token}, metadata: {filename: files[0].name},
            retryDelays: [500, 1000, 2000], onSuccess: () => resolve(upload), onError: reject,
            onBeforeRequest: (request) => { sent.push(request.getMethod()) }, ...options});
        upload.start();
    });
    return {sent, url: upload.url};
"""
RESUME = """
    const options = {endpoint: '/api/v1/tus', headers: {Authorization: token}, metadata: {filename: files[0].name}};
    const url = await new Promise((resolve, reject) => {
        const first = new tus.Upload(files[0], {...options, chunkSize: 5e6, onError: reject,
            onChunkComplete: (_, accepted) => {
                if (accepted >= 1e7) first.abort().then(() => resolve(first.url));
            }});
        first.start();
    });
    const offsets = [];
    await new Promise((resolve, reject) => {
        const second = new tus.Upload(files[0], {...options, onSuccess: resolve, onError: reject,
            onBeforeRequest: (request) => { offsets.push(request.getHeader('Upload-Offset')) }});
        second.findPreviousUploads().then((previous) => {
            second.resumeFromPreviousUpload(previous[0]);
            second.start();
        });
    });
    return {url, offsets: offsets.filter((offset) => offset !== undefined)};
"""
TERMINATE = """
    const options = {endpoint: '/api/v1/tus', headers: {Authorization: token}, chunkSize: 5e6, retryDelays: null};
    await new Promise((resolve, reject) => {
        const upload = new tus.Upload(files[0], {...options, onError: reject,
            onChunkComplete: () => upload.abort(true).then(resolve, reject)});
        upload.start();
    });
"""
UPPY_SEND = """
    const uppy = new Uppy.Uppy();
    uppy.use(Uppy.Tus, {endpoint: '/api/v1/tus', headers: {Authorization: token}, chunkSize: 3e6, limit: 4,
        retryDelays: Array(120).fill(500)});
    let under_way;
    window.underWay = new Promise((resolve) => { under_way = resolve });
    uppy.on('upload-progress', (file, progress) => { if (progress.bytesUploaded >= 6e6) under_way() });
    for (const file of files) uppy.addFile({name: file.name, type: file.type, data: file});
    window.sent = uppy.upload().then((result) => ({
        successful: result.successful.length, failed: result.failed.map((file) => file.error)}));
"""


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(ESTEIRA_UPLOAD_IETF="true") as server:
        yield server


@pytest.fixture
def token() -> str:
    user = make_user()
    join(user, make_workspace())
    return f"Bearer {token_of(user)}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return random_file(tmp_path / "photo é.bin", 1)


def random_file(path: Path, seed: int) -> Path:
    path.write_bytes(random.Random(seed).randbytes(SIZE))
    return path


def stored(home: Path) -> dict[str, str]:
    """Name and SHA-256 of each file, from its bytes."""
    folder = home / "storage" / "uploads"
    return {file.name: sha256(folder / file.key) for file in File.objects.all()}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_stored(server: Server, path: Path) -> bool:
    left = list((server.log.parent / "storage" / "uploads" / "incoming").iterdir())
    return stored(server.log.parent) == {path.name: sha256(path)} and not left


WAYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "one request": ({}, ["POST", "PATCH"]),
    "chunks": ({"chunkSize": 8 << 20}, ["POST", "PATCH", "PATCH", "PATCH"]),
    "data during creation": ({"uploadDataDuringCreation": True}, ["POST"]),
    "IETF draft 05": ({"protocol": "ietf-draft-05", "chunkSize": 8 << 20}, ["POST", "PATCH", "PATCH", "PATCH"]),
    "IETF draft 05, data during creation": ({"protocol": "ietf-draft-05", "uploadDataDuringCreation": True}, ["POST"]),
    "IETF draft 03": ({"protocol": "ietf-draft-03"}, ["POST", "PATCH"]),
    "POST in place of PATCH": ({"overridePatchMethod": True}, ["POST", "POST"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_tus_js_client_sends_a_file(server: Server, token: str, path: Path, way: str) -> None:
    options, requests = WAYS[way]
    with sending_page(server, TUS.file("dist/tus.min.js"), [path]) as page:
        assert run(page, SEND, token=token, options=options)["sent"] == requests
    assert is_stored(server, path)


def test_tus_js_client_sends_four_pieces_at_once(server: Server, token: str, path: Path) -> None:
    with sending_page(server, TUS.file("dist/tus.min.js"), [path]) as page:
        sent = run(page, SEND, token=token, options={"parallelUploads": 4})["sent"]
    assert sent.count("POST") == 5
    assert is_stored(server, path)


def test_tus_js_client_goes_on_in_another_instance(server: Server, token: str, path: Path) -> None:
    with sending_page(server, TUS.file("dist/tus.min.js"), [path]) as page:
        offsets = run(page, RESUME, token=token)["offsets"]
    assert [int(offset) for offset in offsets if int(offset) >= 10_000_000] == [int(offset) for offset in offsets]
    assert len(offsets) == 1
    assert is_stored(server, path)


def test_tus_js_client_gives_up(server: Server, token: str, path: Path) -> None:
    with sending_page(server, TUS.file("dist/tus.min.js"), [path]) as page:
        run(page, TERMINATE, token=token)
    assert Upload.objects.get().state == UploadState.ABORTED
    assert not File.objects.exists()


def test_uppy_sends_four_files_over_a_kill_of_the_server(token: str, tmp_path: Path) -> None:
    paths = [random_file(tmp_path / f"{n}.bin", n) for n in range(4)]
    home = tmp_path / "home"
    with serving(ESTEIRA_HOME=str(home)) as first, sending_page(first, UPPY.file("dist/uppy.min.js"), paths) as page:
        run(page, UPPY_SEND, token=token)
        page.evaluate("window.underWay")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(timeout=10)
        with serving(ESTEIRA_PORT=str(first.port), ESTEIRA_HOME=str(home)):
            assert page.evaluate("window.sent") == {"successful": 4, "failed": []}
    assert stored(home) == {path.name: sha256(path) for path in paths}
