"""Files shown on an origin of their own: only by a sealed address, for minutes, and nothing else is there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.test import Client

from frontend_app import preview
from orchestration.services.files import delete_file
from project import content_origin
from project.env import BadSetting
from project.stack.content import ContentOnly
from project.stack.headers import _app_csp, _secured
from tests.factories import make_file
from tests.frontend.ask import browser, fetch

if TYPE_CHECKING:
    from pytest_django import Settings
    from starlette.types import Receive, Scope, Send

    from orchestration.models import File, User, Workspace

pytestmark = pytest.mark.django_db

ELSEWHERE = "https://files.test"


@pytest.fixture
def page(settings: Settings, owner: User, lab: Workspace) -> File:
    settings.CONTENT_ORIGIN = ELSEWHERE
    settings.PUBLIC_URL = "https://esteira.test/"
    settings.ALLOWED_HOSTS = ["testserver", "files.test"]
    return make_file(lab, owner, "a.html", b"<html><body>hello<script>1</script></body></html>")


def test_preview_leads_to_the_origin_of_files_which_shows_it_to_a_page_of_ours(
    owner: User, page: File, settings: Settings
) -> None:
    address = _address(owner, page)
    settings.CONTENT_ORIGIN = "https://testserver"  # this is what the test's browser asks
    got = fetch(None, address)
    assert got.status == 200
    assert got.body.startswith(b"<html>")
    assert got.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert got.headers["Content-Security-Policy"].endswith("frame-ancestors https://esteira.test")
    assert "Set-Cookie" not in got.headers


def test_our_own_origin_shows_nothing_of_it(owner: User, page: File) -> None:
    assert browser(owner).get(_address(owner, page)).status_code == 404


def test_address_ends_and_cannot_be_made(owner: User, page: File, monkeypatch: pytest.MonkeyPatch) -> None:
    address = _address(owner, page)
    elsewhere = Client(headers={"host": "files.test"})
    assert elsewhere.get(f"{address[:-4]}abcd").status_code == 404
    assert elsewhere.get(f"/content/?seal={page.pk}").status_code == 404
    assert elsewhere.get("/content/").status_code == 404
    monkeypatch.setattr(preview, "SEAL_LIVES", timedelta(seconds=-1))
    assert elsewhere.get(address).status_code == 404


def test_deleted_file_is_shown_no_more(owner: User, page: File) -> None:
    address = _address(owner, page)
    delete_file(user=owner, file=page)
    assert Client(headers={"host": "files.test"}).get(address).status_code == 404


def test_stranger_gets_no_address(stranger: User, page: File) -> None:
    assert fetch(stranger, f"/files/{page.pk}/preview").status == 404


@pytest.mark.parametrize("path", ["/", "/files/", "/api/v1/jobs", "/health/", "/static/x.css", "/login/"])
async def test_nothing_else_is_at_the_origin_of_files(path: str) -> None:
    transport = httpx.ASGITransport(ContentOnly(_told, ELSEWHERE))
    async with httpx.AsyncClient(transport=transport, headers={"cookie": "sessionid=1"}) as anybody:
        assert (await anybody.get(f"{ELSEWHERE}{path}")).status_code == 404
        assert (await anybody.post(f"{ELSEWHERE}/content/x/")).status_code == 404
        assert (await anybody.get(f"{ELSEWHERE}/content/x/")).text == "no cookie"
        assert (await anybody.get(f"https://esteira.test{path}")).text == "a cookie"


def test_pages_may_frame_that_origin_and_its_answers_may_be_framed() -> None:
    assert b"frame-src 'self' https://files.test;" in _app_csp(content=ELSEWHERE)
    scope: Any = {"type": "http", "path": "/content/x/", "scheme": "https"}
    given = [(b"content-security-policy", b"sandbox; frame-ancestors https://esteira.test")]
    said = dict(_secured(scope, given, b""))
    assert b"x-frame-options" not in said
    assert said[b"cross-origin-resource-policy"] == b"cross-origin"
    assert said[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    ("given", "public"),
    [
        ("https://files.esteira.org", "https://esteira.org"),
        ("https://esteira.org", "https://app.esteira.org"),
        ("https://files.esteira.com.br", "https://www.esteira.com.br"),
        ("https://app.esteira.org:8443", "https://app.esteira.org"),
        ("https://files.net/path", "https://esteira.org"),
        ("files.net", "https://esteira.org"),
        ("ftp://files.net", "https://esteira.org"),
    ],
)
def test_setting_that_is_no_other_site_is_refused(monkeypatch: pytest.MonkeyPatch, given: str, public: str) -> None:
    monkeypatch.setenv(content_origin.NAME, given)
    with pytest.raises(BadSetting):
        content_origin.read(public)


@pytest.mark.parametrize(
    ("given", "public"),
    [
        ("", "https://esteira.org"),
        ("https://esteira-files.org", "https://esteira.org"),
        ("https://files.com.br", "https://esteira.com.br"),
        ("http://localhost:8000", "http://127.0.0.1:8000"),
    ],
)
def test_setting_that_is_another_site_is_taken(monkeypatch: pytest.MonkeyPatch, given: str, public: str) -> None:
    monkeypatch.setenv(content_origin.NAME, given)
    assert content_origin.read(public) == given


def _address(owner: User, page: File) -> str:
    got = fetch(owner, f"/files/{page.pk}/preview")
    assert got.status == 302
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["Location"].startswith(f"{ELSEWHERE}/content/")
    return got.headers["Location"].removeprefix(ELSEWHERE)


async def _told(scope: Scope, receive: Receive, send: Send) -> None:
    has_cookie = any(name == b"cookie" for name, _ in scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a cookie" if has_cookie else b"no cookie"})
