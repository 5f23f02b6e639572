"""The API's reference: every operation with its example, for the signed-in, with nothing from elsewhere."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from api_app.main import document
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User

pytestmark = pytest.mark.django_db

PAGES = ["/docs/api/", "/docs/api/openapi.json"]


def shown(user: User | None) -> str:
    return browser(user).get("/docs/api/").content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_nobody_in_particular_is_sent_to_sign_in(path: str) -> None:
    response = browser().get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/login/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_anybody_sees_it_where_the_operator_says_so(settings: Settings, path: str) -> None:
    settings.API_DOCS_PUBLIC = True
    assert browser().get(path).status_code == 200


def test_page_for_anybody_shows_no_menu_and_asks_to_sign_in(settings: Settings) -> None:
    settings.API_DOCS_PUBLIC = True
    page = shown(None)
    assert 'href="/login/?next=/docs/api/"' in page
    assert "Sign out" not in page
    assert 'href="/jobs/"' not in page


def test_every_operation_and_schema_has_a_place(stranger: User) -> None:
    page = shown(stranger)
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            assert operation["operationId"] in ids
            assert path in page
    assert {f"schema-{name}" for name in document()["components"]["schemas"]} <= set(ids)


def test_links_within_the_page_lead_somewhere(owner: User) -> None:
    page = shown(owner)
    assert set(re.findall(r'href="#([^"]+)"', page)) - set(re.findall(r'id="([^"]+)"', page)) == set()


def test_example_is_a_command_and_its_answer(owner: User, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://esteira.example"
    page = unescape(shown(owner))
    call = page.partition('id="edit_job"')[2].partition("</details>")[0]
    assert "curl https://esteira.example/api/v1/jobs/0199f6a2-" in call
    assert "-X PATCH" in call
    assert '-H "Authorization: Bearer $TOKEN"' in call
    assert """--json '{"name": "November, final\"""" in call
    assert '"progress": 1.0' in call
    assert "scope <code>run</code>" in call


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("create_token", "-u NAME"),
        ("put_file", "-T penguins.csv"),
        ("delete_file", "-X DELETE"),
        ("append_log", "log?offset=0'"),
    ],
)
def test_command_is_fit_for_the_call(owner: User, name: str, said: str) -> None:
    assert said in unescape(shown(owner)).partition(f'id="{name}"')[2].partition("</details>")[0]


def test_nothing_comes_from_elsewhere_and_nothing_stands_inline(owner: User) -> None:
    page = shown(owner)
    assert re.findall(r'(?:src|href)="(?!/|#)[^"]*"', page) == []
    assert re.findall(r"<script(?![^>]* src=)|<style|style=", page) == []


def test_deprecated_operation_says_so(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(document()["paths"]["/api/v1/me"]["get"], "deprecated", True)
    assert shown(owner).count("· deprecated") == 1


def test_what_a_docstring_says_is_no_markup(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = document()["paths"]["/api/v1/me"]["get"]
    monkeypatch.setitem(operation, "description", "`<script>alert(1)</script>`\n\n<b>bold</b>")
    page = shown(owner)
    assert "<script>alert" not in page
    assert "<p><code>&lt;script&gt;alert(1)&lt;/script&gt;</code></p><p>&lt;b&gt;bold&lt;/b&gt;</p>" in page


def test_frame_of_every_page_leads_to_it(owner: User) -> None:
    assert 'href="/docs/api/"' in browser(owner).get("/tokens/").content.decode()
