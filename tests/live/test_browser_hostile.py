"""What others uploaded, and pages of other origins, against somebody who is signed in: no script of theirs runs."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import Error, expect

from tests.live.browsing import sign_in
from tests.live.platform import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCRIPT: Final = "<script>document.title='owned';fetch('/api/v1/me');alert(1);parent.postMessage('owned','*')</script>"
NAME: Final = 'שלום"><img src=x onerror=alert(1)>.html'


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"../{SCRIPT}", b"x")
    return packed.getvalue()


HOSTILE: Final = {
    "page.html": f"<html><head><title>mine</title></head><body onload=alert(1)>hello{SCRIPT}</body></html>".encode(),
    NAME: f"<!doctype html><title>mine</title>{SCRIPT}".encode(),
    "image.svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">{SCRIPT}</svg>'.encode(),
    "both.gif": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1);" + SCRIPT.encode(),
    "data.xml": b'<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
    "formula.csv": f"=cmd|'/c calc'!A1,{SCRIPT}\n=1+1,@SUM(1)\n".encode(),
    "notes.txt": SCRIPT.encode(),
    "data.json": f'{{"a": "{SCRIPT}"}}'.encode(),
    "names.zip": _zip(),
    "code.js": b"alert(1)",
    "paper.pdf": b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>",
}
FORMS: Final = {
    "to a page": "action='{url}/jobs/{job}/cancel/'",
    "to the API": "enctype=text/plain action='{url}/api/v1/jobs/{job}/cancel'",
}


class Elsewhere:
    """Another origin, of somebody who wants to act as the reader. Another port, so of the same site."""

    def __init__(self) -> None:
        self.page = ""
        outer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's own name
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    yield server
    server.close()


@pytest.fixture(scope="module")
def apart() -> Iterator[Platform]:
    """Files are shown on an origin of their own: `localhost` is another site than `127.0.0.1`."""
    with running({"ESTEIRA_CONTENT_ORIGIN": "http://localhost:{port}"}) as platform:
        yield platform


@pytest.fixture
def acted() -> list[str]:
    return []


@pytest.fixture
def victim(context: BrowserContext, acted: list[str]) -> Page:
    """Whatever a script could do here is seen: a question, a message, a title, a request of its own."""
    page = context.new_page()
    _notice_questions(page, acted)
    page.on("request", lambda request: acted.append(request.url) if "/api/v1/me" in request.url else None)
    page.add_init_script("addEventListener('message', (event) => { window.heard = event.data })")
    return page


def _notice_questions(page: Page, acted: list[str]) -> None:
    def asked(dialog: Dialog) -> None:
        acted.append(f"asked {dialog.message}")
        dialog.dismiss()

    page.on("dialog", asked)


def _try_all(victim: Page, platform: Platform, acted: list[str]) -> None:
    """Uploads each, looks at its page and at its preview alone, in a frame and as an image."""
    sign_in(victim, platform, "/")
    for name, data in HOSTILE.items():
        file = platform.upload(name, data)
        victim.goto(f"{platform.url}/files/{file['id']}/")
        # Whatever was uploaded is text on a page of ours.
        expect(victim.get_by_role("heading", level=1)).to_contain_text("html" if name is NAME else name)
        victim.wait_for_load_state("networkidle")
        for frame in victim.frames:
            with suppress(Error):  # a frame in which nothing may run answers nothing
                assert frame.title() != "owned", name
        assert victim.evaluate("window.heard") is None, name
        with suppress(Error):  # what is not shown is downloaded, or is not there
            victim.goto(f"{platform.url}/files/{file['id']}/preview")
            assert victim.title() != "owned", name
        answer = victim.request.get(f"{platform.url}/files/{file['id']}/content")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.body() == data
    assert acted == []


def test_hostile_files_run_no_script(victim: Page, platform: Platform, acted: list[str]) -> None:
    _try_all(victim, platform, acted)


def test_hostile_files_run_no_script_on_the_origin_of_files(victim: Page, apart: Platform, acted: list[str]) -> None:
    _try_all(victim, apart, acted)
    port = apart.url.rpartition(":")[2]
    file = apart.upload("page.html", HOSTILE["page.html"])
    victim.goto(f"{apart.url}/files/{file['id']}/")
    frame = victim.frame_locator("iframe").first
    expect(frame.get_by_text("hello")).to_be_visible()
    shown = [frame.url for frame in victim.frames[1:]]
    assert [url.startswith(f"http://localhost:{port}/content/") for url in shown] == [True]
    answer = victim.request.get(shown[0])
    assert "set-cookie" not in answer.headers
    assert victim.request.get(f"http://localhost:{port}/files/").status == 404


def test_name_that_is_turned_round_is_refused(platform: Platform) -> None:
    """With this sign in it, `exe.png` would be read where `gnp.exe` is written."""
    answer = platform.call("POST", "/uploads", params={"name": "\u202egnp.exe"}, content=b"x")
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_name"


def test_script_would_be_noticed(victim: Page, elsewhere: Elsewhere, acted: list[str]) -> None:
    elsewhere.page = f"<title>mine</title>{SCRIPT}"
    victim.goto(elsewhere.url)
    victim.wait_for_function("window.heard")
    assert victim.title() == "owned"
    assert any(said.startswith("asked") for said in acted)
    assert any(said.endswith("/api/v1/me") for said in acted)


@pytest.fixture
def running_job(platform: Platform) -> Iterator[str]:
    platform.publish(
        "pipeline: hostile-wait\nversion: 1.0.0\ntitle: Wait\nsteps:\n  - name: wait\n    command: [sleep, '600']\n"
    )
    file = platform.upload("a.txt", b"x")["id"]
    job = str(platform.submit("hostile-wait", [file], key=token_hex(8))["id"])
    yield job
    platform.call("POST", f"/jobs/{job}/cancel")


@pytest.mark.parametrize("form", FORMS)
def test_form_of_another_origin_does_nothing(
    victim: Page, platform: Platform, elsewhere: Elsewhere, running_job: str, form: str
) -> None:
    """Of the same site, so that the cookie is sent: only the origin and the token are in the way."""
    sign_in(victim, platform, "/")
    where = FORMS[form].format(url=platform.url, job=running_job)
    elsewhere.page = f"<form id=f method=post {where}></form><script>f.submit()</script>"
    with victim.expect_navigation(url=f"{platform.url}/**") as answered:
        victim.goto(elsewhere.url)
    answer = answered.value
    assert answer is not None
    assert answer.status in {401, 403, 415}
    assert platform.sql("SELECT cancel_requested_at FROM orchestration_job WHERE id = %s", running_job) == [(None,)]


def test_other_origin_reads_nothing_and_opens_no_socket(
    victim: Page, platform: Platform, elsewhere: Elsewhere, running_job: str
) -> None:
    sign_in(victim, platform, "/")
    elsewhere.page = "<title>elsewhere</title>"
    victim.goto(elsewhere.url)
    for path in ("/jobs/", "/api/v1/jobs", f"/jobs/{running_job}/live/", f"/api/v1/jobs/{running_job}/events"):
        said = victim.evaluate(
            "(url) => fetch(url, { credentials: 'include' }).then((answer) => answer.status, () => 'refused')",
            f"{platform.url}{path}",
        )
        assert said == "refused", path
    sockets = [f"/ws/jobs/{running_job}", f"/api/v1/jobs/{running_job}/events"]
    for path in sockets:
        said = victim.evaluate(
            "(url) => new Promise((done) => { const socket = new WebSocket(url);"
            " socket.onopen = () => done('open'); socket.onclose = socket.onerror = () => done('refused'); })",
            f"{platform.url.replace('http', 'ws', 1)}{path}",
        )
        assert said == "refused", path


def test_no_page_of_ours_is_shown_inside_of_another(
    victim: Page, platform: Platform, elsewhere: Elsewhere, running_job: str
) -> None:
    """No button of ours under somebody's picture; and who opens a window of ours has no hold on it."""
    sign_in(victim, platform, "/")
    elsewhere.page = f"<title>over</title><iframe src='{platform.url}/jobs/{running_job}/'></iframe>"
    victim.goto(elsewhere.url)
    victim.wait_for_load_state("networkidle")
    assert [frame.url for frame in victim.frames if frame.url.startswith(platform.url)] == []
    with victim.context.expect_page() as opened:
        victim.evaluate("(url) => { window.ours = open(url) }", f"{platform.url}/jobs/")
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("window.opener") is None
    assert victim.evaluate("window.ours.closed"), "to the other page it seems closed"


@pytest.mark.parametrize(("bytes_each", "messages", "codes"), [(200_000, 1, {1006, 1009}), (10, 200, {1008})])
def test_page_that_says_too_much_is_hung_up_on(
    victim: Page, platform: Platform, running_job: str, bytes_each: int, messages: int, codes: set[int]
) -> None:
    sign_in(victim, platform, f"/jobs/{running_job}/")
    ended = victim.evaluate(
        "([size, times]) => new Promise((done) => {"
        " const socket = new WebSocket(document.querySelector('[data-live-socket]').dataset.liveSocket);"
        " socket.onopen = () => { for (let n = 0; n < times; n += 1) socket.send('x'.repeat(size)); };"
        " socket.onclose = (event) => done(event.code); })",
        [bytes_each, messages],
    )
    assert ended in codes, "1006 where the line was cut before the browser had read why"


def test_live_connection_says_what_the_page_shows_and_no_secret(
    victim: Page, platform: Platform, running_job: str
) -> None:
    heard: list[str] = []
    victim.on("websocket", lambda socket: socket.on("framereceived", lambda said: heard.append(str(said))))
    sign_in(victim, platform, f"/jobs/{running_job}/")
    expect(victim.locator("[data-live-status]")).to_have_text("Live")
    platform.call("POST", f"/jobs/{running_job}/cancel")
    expect(victim.locator("#job-state .chip")).to_have_text("Canceled", timeout=30_000)
    secrets = [cookie["value"] for cookie in victim.context.cookies() if "value" in cookie]
    assert {*secrets} - {""}
    assert heard
    for said in heard:
        assert set(json.loads(said)) == {"html"}
        assert not [word for word in (*secrets, "csrf", "<script", platform.token) if word and word in said]


def test_message_of_another_window_changes_nothing(victim: Page, platform: Platform, running_job: str) -> None:
    sign_in(victim, platform, f"/jobs/{running_job}/")
    before = victim.locator("main h1").inner_text()
    victim.evaluate("window.postMessage({ type: 'cancel', html: '<img src=x onerror=alert(1)>' }, '*')")
    victim.wait_for_function("window.heard")
    assert victim.locator("main h1").inner_text() == before
    assert victim.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(
    "to", ["//evil.test/", "/\\evil.test", "https:evil.test", "https://evil.test/", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(chrome: Browser, platform: Platform, to: str, acted: list[str]) -> None:
    with chrome.new_context() as context:
        page = context.new_page()
        _notice_questions(page, acted)
        sign_in(page, platform, "/")
        page.goto(f"{platform.url}/login/?next={to}")
        assert page.url.startswith(platform.url), to
        assert acted == []
