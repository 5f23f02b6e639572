"""The pages about how long files are kept: dates in words, undo, holds, many at once, receipts and usage."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.execution.retention import expire_files, purge_files
from orchestration.models import File
from orchestration.services.files import delete_file
from orchestration.services.retention import hold_file
from tests.factories import make_file
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def client(owner: User) -> Client:
    return browser(owner)


@pytest.fixture
def boss(manager: User) -> Client:
    return browser(manager)


def html_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def sent(client: Client, path: str, **form: Any) -> str:
    return re.sub(r"\s+", " ", client.post(path, form, follow=True).content.decode())


def is_there(file: File) -> bool:
    return File.objects.get(pk=file.pk).deleted_at is None


def day(at: Any) -> str:
    return f"{at.day} {at:%b %Y}"


def test_dates_are_said_in_words(client: Client, owner: User, lab: Workspace) -> None:
    far = make_file(lab, owner, "far.csv")
    soon = make_file(lab, owner, "soon.csv", expires_at=timezone.now() + 3 * DAY)
    held = make_file(lab, owner, "held.csv", hold=True)
    html = html_of(client, "/files/")
    assert f"until {day(far.expires_at)}" in html
    assert f'<span class="soon">goes {day(soon.expires_at)}</span>' in html
    assert '<span class="held">on hold</span>' in html
    assert "(in 3 days)" in html_of(client, f"/files/{soon.pk}/")
    assert "until a manager releases it" in html_of(client, f"/files/{held.pk}/")


def test_going_soon_shows_only_what_goes(client: Client, owner: User, lab: Workspace) -> None:
    make_file(lab, owner, "far.csv")
    make_file(lab, owner, "near.csv", expires_at=timezone.now() + 20 * DAY)
    make_file(lab, owner, "held.csv", expires_at=timezone.now() + 20 * DAY, hold=True)
    html = html_of(client, "/files/?going=soon")
    assert [name for name in ("far", "near", "held") if f"{name}.csv" in html] == ["near"]


def test_delete_is_taken_back_with_one_button(client: Client, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "<b>old</b>.csv")
    html = sent(client, f"/files/{file.pk}/delete/")
    assert "&lt;b&gt;old&lt;/b&gt;.csv is deleted. It can be brought back for 30 days." in html
    button = f'form="act" formaction="/files/{file.pk}/undelete/" name="file" value="">Undo</button>'
    assert button in html
    assert "is back, and kept until" in sent(client, f"/files/{file.pk}/undelete/")
    assert is_there(file)


def test_deleted_files_are_listed_with_who_and_until_when(client: Client, owner: User, lab: Workspace) -> None:
    mine = make_file(lab, owner, "mine.csv")
    delete_file(user=owner, file=mine)
    make_file(lab, owner, "due.csv", expires_at=timezone.now() - DAY)
    expire_files()
    gone = make_file(lab, owner, "gone.csv")
    File.objects.filter(pk=gone.pk).update(deleted_at=timezone.now() - 30 * DAY)
    html = html_of(client, "/files/deleted/")
    assert "deleted by ana" in html
    assert "its date had come" in html
    assert f'{day(timezone.now() + 30 * DAY)} <span class="sub">in 30 days</span>' in html
    assert "gone.csv" not in html


def test_stranger_s_list_of_the_deleted_is_her_own(stranger: User, owner: User, lab: Workspace) -> None:
    delete_file(user=owner, file=make_file(lab, owner, "secret.csv"))
    assert "secret.csv" not in html_of(browser(stranger), "/files/deleted/")


def test_older_deleted_files_are_a_page_further(
    client: Client, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_app.views.retention.PAGE", 2)
    files = [make_file(lab, owner, f"{n}.csv", deleted_at=timezone.now()) for n in range(3)]
    assert f"?before={files[1].pk}" in html_of(client, "/files/deleted/")
    assert "0.csv" in html_of(client, f"/files/deleted/?before={files[1].pk}")


def test_file_is_kept_longer_by_days_or_until_a_date(client: Client, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    said = sent(client, f"/files/{file.pk}/extend/", days="90")
    assert f"is kept until {day(file.expires_at + 90 * DAY)}." in said
    assert f"Kept longer, until {day(file.expires_at + 90 * DAY)} by ana" in said
    until = (file.expires_at + 200 * DAY).date()
    sent(client, f"/files/{file.pk}/extend/", until=until.isoformat())
    assert File.objects.get(pk=file.pk).expires_at.date() == until + DAY


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "Say either by how many days"),
        ({"days": "many"}, "Choose by how long"),
        ({"until": "9999-12-31"}, "Choose by how long"),
        ({"until": "2001-01-01"}, "already"),
        ({"days": "36600"}, "1 to 3,660 days"),
    ],
    ids=str,
)
def test_extension_that_makes_no_sense_is_said(
    client: Client, owner: User, lab: Workspace, form: dict[str, str], said: str
) -> None:
    file = make_file(lab, owner)
    assert said in sent(client, f"/files/{file.pk}/extend/", **form)
    assert File.objects.get(pk=file.pk).expires_at == file.expires_at


def test_manager_holds_and_releases_with_a_reason(client: Client, boss: Client, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    assert "Put it on hold" not in html_of(client, f"/files/{file.pk}/")
    assert "Put it on hold" in html_of(boss, f"/files/{file.pk}/")
    assert client.post(f"/files/{file.pk}/hold/", {"reason": "x"}).status_code == 403
    assert "A hold needs a reason" in sent(boss, f"/files/{file.pk}/hold/")
    html = sent(boss, f"/files/{file.pk}/hold/", reason="court order 7")
    assert "Put on hold by mara" in html
    assert "court order 7" in html
    assert "is on hold. Release the hold first." in sent(client, f"/files/{file.pk}/delete/")
    assert "no longer on hold" in sent(boss, f"/files/{file.pk}/release/")


def test_many_files_are_deleted_and_brought_back_together(client: Client, owner: User, lab: Workspace) -> None:
    files = [make_file(lab, owner, f"{n}.csv") for n in range(3)]
    held = make_file(lab, owner, "held.csv", hold=True)
    html = sent(client, "/files/together/delete/", file=[f.pk for f in (*files, held)])
    assert "3 files are deleted. They can be brought back for 30 days." in html
    assert "held.csv is on hold." in html
    assert [is_there(f) for f in (*files, held)] == [False, False, False, True]
    undo = re.search(r'formaction="/files/together/undelete/" name="file" value="([^"]+)"', html)
    assert undo
    assert "3 files are back." in sent(client, "/files/together/undelete/", file=undo[1])
    assert all(is_there(f) for f in files)


def test_many_files_are_kept_longer_together(client: Client, owner: User, lab: Workspace) -> None:
    files = [make_file(lab, owner, f"{n}.csv") for n in range(2)]
    assert "2 files are kept longer." in sent(client, "/files/together/extend/", file=[f.pk for f in files], days="30")
    assert File.objects.get(pk=files[1].pk).expires_at == files[1].expires_at + 30 * DAY


def test_many_files_are_used_together(client: Client, owner: User, lab: Workspace) -> None:
    files = [make_file(lab, owner, f"{n}.csv") for n in range(2)]
    response = client.post("/files/together/use/", {"file": [f.pk for f in files]})
    assert response.headers["Location"] == f"/jobs/new/?file={files[0].pk}&file={files[1].pk}"


def test_of_many_refusals_some_are_said(client: Client, owner: User, lab: Workspace) -> None:
    held = [make_file(lab, owner, f"{n}.csv", hold=True) for n in range(7)]
    html = sent(client, "/files/together/delete/", file=[f.pk for f in held])
    assert html.count("is on hold. Release") == 5
    assert "And 2 more were left as they are." in html


def test_nothing_chosen_or_nothing_known_is_said(client: Client) -> None:
    assert "Choose some files first." in sent(client, "/files/together/delete/", file="x")
    assert client.post("/files/together/burn/").status_code == 404


def test_somebody_else_s_files_are_not_among_the_many(
    stranger: User, owner: User, viewer: User, lab: Workspace
) -> None:
    file = make_file(lab, owner)
    sent(browser(stranger), "/files/together/delete/", file=file.pk)
    assert "needs the role" in sent(browser(viewer), "/files/together/delete/", file=file.pk)
    assert is_there(file)


def test_deleted_file_s_page_is_its_receipt_and_outlives_the_bytes(client: Client, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "paper.csv")
    delete_file(user=owner, file=file)
    assert "Bring it back" in html_of(client, f"/files/{file.pk}/")
    File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - 30 * DAY)
    assert "cannot be brought back" in html_of(client, f"/files/{file.pk}/")
    purge_files()
    html = html_of(client, f"/files/{file.pk}/")
    assert "Bring it back" not in html
    assert "Destroyed <time" in html
    assert "It is not signed." in html
    response = client.get(f"/files/{file.pk}/receipt/")
    document = json.loads(response.content)
    assert response["Content-Disposition"] == f'attachment; filename="receipt-{file.pk}.json"'
    assert (document["name"], document["bytes"], document["deleted_by"]) == ("paper.csv", "destroyed", "ana")
    assert file.key not in response.content.decode()


def test_file_that_is_there_has_no_receipt(client: Client, stranger: User, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    assert client.get(f"/files/{file.pk}/receipt/").status_code == 404
    delete_file(user=owner, file=file)
    assert browser(stranger).get(f"/files/{file.pk}/receipt/").status_code == 404


def test_too_late_to_bring_back_is_said(client: Client, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, deleted_at=timezone.now() - 31 * DAY)
    assert "deleted more than 30 days ago" in sent(client, f"/files/{file.pk}/undelete/")


def test_held_deleted_file_can_be_brought_back_after_its_time(
    client: Client, manager: User, owner: User, lab: Workspace
) -> None:
    file = make_file(lab, owner, deleted_at=timezone.now() - 40 * DAY)
    hold_file(user=manager, file=file, reason="audit")
    assert "until the hold is released" in html_of(client, f"/files/{file.pk}/")


def test_usage_tells_classes_quota_and_what_goes(client: Client, owner: User, lab: Workspace) -> None:
    type(lab).objects.filter(pk=lab.pk).update(quota_bytes=2048)
    make_file(lab, owner, data=b"x" * 1024, expires_at=timezone.now() + 5 * DAY)
    html = html_of(client, "/files/usage/")
    assert "Uploads" in html
    assert "1.0 KiB" in html
    assert "50 % used" in html
    assert '<a href="/files/?going=soon">1 file</a>' in html
    assert "365 days" in html
