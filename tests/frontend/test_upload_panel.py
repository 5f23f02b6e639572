"""Where files come in: the part that the files page and the new-job page share, and tickets for it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.services.tickets import read_ticket
from tests.factories import make_file, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db

PAGES = ["/files/", "/jobs/new/"]


def picked(html: str) -> Any:
    found = re.search(r'<script id="picked" type="application/json">(.*?)</script>', html)
    return json.loads(found[1]) if found else None


@pytest.mark.parametrize("path", PAGES)
def test_both_pages_have_the_same_upload_part(owner: User, path: str) -> None:
    html = browser(owner).get(path).content.decode()
    assert html.count('id="upload"') == 1
    assert 'data-workspace="lab" data-user="ana"' in html
    assert 'id="unfinished"' in html
    assert 'type="module"' in html
    assert "needs JavaScript" in html


def test_who_may_only_look_sees_no_way_in(viewer: User) -> None:
    assert 'id="upload"' not in browser(viewer).get("/files/").content.decode()


def test_filtered_lists_have_it_too(owner: User, lab: Workspace) -> None:
    assert 'id="upload"' in browser(owner).get("/files/?kind=upload").content.decode()
    assert 'id="upload"' in browser(owner).get("/files/?going=soon").content.decode()


def test_chosen_files_stand_on_the_page_as_data(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "a.csv", b"a,b\n")
    html = browser(owner).get(f"/jobs/new/?file={file.pk}").content.decode()
    assert picked(html) == [
        {"id": str(file.pk), "name": "a.csv", "path": "", "size": 4, "type": "text/csv", "note": "CSV · 4 B"}
    ]
    assert picked(browser(owner).get("/jobs/new/").content.decode()) is None


def test_signed_in_page_gets_a_new_ticket(owner: User, lab: Workspace) -> None:
    answer = browser(owner).get("/upload-ticket?workspace=lab")
    said = answer.json()
    assert (said["workspace"], said["user"]) == ("lab", "ana")
    assert read_ticket(said["ticket"]) == (owner, "lab")
    assert "no-store" in answer["Cache-Control"]


def test_nobody_gets_a_ticket_without_signing_in(lab: Workspace) -> None:
    assert browser().get("/upload-ticket?workspace=lab").status_code == 302


def test_ticket_is_only_for_those_who_may_send_files_there(stranger: User, viewer: User, lab: Workspace) -> None:
    assert browser(stranger).get("/upload-ticket?workspace=lab").status_code == 404
    assert browser(viewer).get("/upload-ticket?workspace=lab").status_code == 403
    assert browser(make_user("outsider")).get("/upload-ticket?workspace=lab").status_code == 404
    assert browser(stranger).post("/upload-ticket?workspace=elsewhere").status_code == 405
