"""What a visitor with a link sees and gets, and for how long."""

from __future__ import annotations

import io
import logging
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.db.models.functions import Now
from django.test import AsyncClient, Client

from orchestration.models import File, ShareLink
from orchestration.models.share import TRIES, WINDOW
from orchestration.services import shares
from orchestration.services.shares import Terms, create_share, revoke_share
from project.asgi import application
from tests.factories import make_file, make_job
from tests.frontend.ask import browser
from tests.s3_double.fixtures import s3
from tests.s3_double.platform import direct

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import Job, User, Workspace
    from orchestration.storage.s3 import S3DirectStorage

__all__ = ["direct", "s3"]  # fixtures

pytestmark = pytest.mark.django_db
SECRET = "open sesame"


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab, state="SUCCEEDED", name="Secret project")


def result(job: Job, name: str) -> File:
    fields: dict[str, Any] = {"kind": "result", "job": job, "step": "nothing", "item_index": 0}
    return make_file(job.workspace, job.created_by, name=name, data=name.encode(), **fields)


@dataclass
class Link:
    share: ShareLink
    key: str
    files: list[File]

    def path(self, what: str = "") -> str:
        return f"/s/{self.share.pk}/{what}?key={self.key}"

    def first(self) -> str:
        return self.path(str(self.files[0].pk))


def link(owner: User, job: Job, **terms: Any) -> Link:
    files = [result(job, "a.txt"), result(job, "b.txt")]
    share, url = create_share(user=owner, job=job, terms=Terms(**({"days": 7} | terms)))
    return Link(share, url.partition("key=")[2], files)


def get(path: str, client: AsyncClient | None = None) -> tuple[Any, bytes]:
    async def go() -> tuple[Any, bytes]:
        response: Any = await (client or AsyncClient()).get(path)
        parts = [part async for part in response.streaming_content] if response.streaming else [response.content]
        return response, b"".join(parts)

    return async_to_sync(go)()


def test_visitor_sees_these_files_and_nothing_else(owner: User, job: Job) -> None:
    made = link(owner, job)
    result(job, "later.txt")
    html = Client().get(made.path()).content.decode()
    assert "a.txt" in html
    assert "b.txt" in html
    for private in ("later.txt", "Secret project", owner.username, str(job.pk)):
        assert private not in html, private
    assert get(made.first())[1] == b"a.txt"
    response, body = get(made.path("all.zip"))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["a.txt", "b.txt"]
    assert response["Content-Disposition"].startswith("attachment")


def test_link_to_chosen_files_has_no_others(owner: User, job: Job) -> None:
    only = result(job, "only.txt")
    made = link(owner, job, files=(only.pk,))
    assert Client().get(made.first()).status_code == 404
    assert get(made.path(str(only.pk)))[1] == b"only.txt"
    other = make_file(job.workspace, owner, name="else.csv")
    assert Client().get(made.path(str(other.pk))).status_code == 404
    only.deleted_at = Now()
    only.save(update_fields=["deleted_at"])
    assert Client().get(made.path(str(only.pk))).status_code == 404
    assert "None of these files is left" in Client().get(made.path()).content.decode()
    assert Client().get(made.path("all.zip")).status_code == 404


def is_dead(made: Link) -> bool:
    pages = [get(path) for path in (made.path(), made.first(), made.path("all.zip"))]
    (status,) = {page.status_code for page, _ in pages}
    if status == 404:
        assert all(b"This link leads nowhere" in body for _, body in pages)
    return bool(status == 404)


def test_link_that_is_over_taken_back_or_of_somebody_who_left_leads_nowhere(owner: User, job: Job) -> None:
    made = link(owner, job)
    assert not is_dead(made)
    ShareLink.objects.update(expires_at=Now())
    assert is_dead(made)
    ShareLink.objects.update(expires_at="2100-01-01T00:00Z")
    owner.is_active = False
    owner.save(update_fields=["is_active"])
    assert is_dead(made)
    owner.is_active = True
    owner.save(update_fields=["is_active"])
    assert not is_dead(made)
    revoke_share(user=owner, share=made.share)
    assert is_dead(made)


@pytest.mark.parametrize("key", ["", "wrong", "%ED%A0%80", "ключ"])
def test_wrong_key_is_as_good_as_no_link(owner: User, job: Job, key: str) -> None:
    made = link(owner, job)
    made.key = key
    assert is_dead(made)


def test_downloads_are_counted_and_end(owner: User, job: Job) -> None:
    made = link(owner, job, max_downloads=2)
    for _ in range(3):
        Client().get(made.path())
        Client().head(made.first())
    assert get(made.first())[0].status_code == 200
    assert get(made.path("all.zip"))[0].status_code == 200
    made.share.refresh_from_db()
    assert made.share.downloads == 2
    assert is_dead(made)


def test_of_two_that_come_for_the_last_download_one_gets_it(owner: User, job: Job) -> None:
    made = link(owner, job, max_downloads=1)
    both = [ShareLink.objects.filter(pk=made.share.pk) for _ in range(2)]
    assert [one.take_download() for one in both] == [True, False]


def test_password_is_asked_before_anything_is_shown(owner: User, job: Job) -> None:
    made = link(owner, job, password=SECRET)
    visitor = Client()
    html = visitor.get(made.path()).content.decode()
    assert "Password of this link" in html
    assert "a.txt" not in html
    assert visitor.get(made.first()).status_code == 404
    assert visitor.get(made.path("all.zip")).status_code == 404
    wrong = visitor.post(made.path(), {"password": "sesame open"})
    assert (wrong.status_code, "a.txt" in wrong.content.decode()) == (403, False)
    assert visitor.post(made.path(), {"password": SECRET}).status_code == 302
    assert "a.txt" in visitor.get(made.path()).content.decode()
    cookie = visitor.cookies["esteira-share"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (f"/s/{made.share.pk}/", True, "Lax")
    shown = AsyncClient()
    shown.cookies = visitor.cookies
    assert get(made.first(), shown)[1] == b"a.txt"
    assert "a.txt" not in Client().get(made.path()).content.decode()


def test_password_of_one_link_opens_no_other(owner: User, job: Job) -> None:
    first, second = (link(owner, job, password=SECRET) for _ in "12")
    proof = shares.unlock(share=first.share, password=SECRET)
    assert proof is not None
    assert shares.is_unlocked(share=first.share, shown=proof)
    assert not shares.is_unlocked(share=second.share, shown=proof)
    assert not shares.is_unlocked(share=first.share, shown=proof[:-1])


def test_passwords_cannot_be_tried_without_end(owner: User, job: Job) -> None:
    made = link(owner, job, password=SECRET)
    visitor = Client()
    tried = [visitor.post(made.path(), {"password": f"wrong {n}"}).status_code for n in range(TRIES + 1)]
    assert tried == [403] * TRIES + [429]
    assert visitor.post(made.path(), {"password": SECRET}).status_code == 429
    ShareLink.objects.update(tries_since=Now() - WINDOW * 2)
    assert visitor.post(made.path(), {"password": SECRET}).status_code == 302


def test_password_form_needs_the_page_s_own_token(owner: User, job: Job) -> None:
    made = link(owner, job, password=SECRET)
    assert Client(enforce_csrf_checks=True).post(made.path(), {"password": SECRET}).status_code == 403


@pytest.mark.django_db(transaction=True)  # what answers works in threads of its own
def test_address_is_kept_by_nobody_and_told_to_nobody(owner: User, job: Job, caplog: pytest.LogCaptureFixture) -> None:
    made = link(owner, job)

    async def visit(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path)

    with caplog.at_level(logging.DEBUG):
        found = async_to_sync(visit)(made.path())
        missing = async_to_sync(visit)(f"/s/{made.share.pk}/x?key={made.key}")
    for response in (found, missing):
        assert response.headers["referrer-policy"] == "same-origin"  # no other site is told of the address
    assert (found.status_code, found.headers["cache-control"]) == (200, "private, no-store")
    assert "noindex" in found.headers["x-robots-tag"]
    assert any("request" in record.message for record in caplog.records)
    for record in caplog.records:
        assert made.key not in str(record.__dict__), "the key is in a log"


def test_manifest_comes_along_only_where_that_was_said(owner: User, job: Job) -> None:
    made = link(owner, job, has_manifest=True)
    with zipfile.ZipFile(io.BytesIO(get(made.path("all.zip"))[1])) as archive:
        assert archive.namelist() == ["esteira-manifest.json", "a.txt", "b.txt"]


def test_file_in_a_bucket_is_fetched_there_and_counted(direct: S3DirectStorage, owner: User, job: Job) -> None:
    made = link(owner, job)
    response = Client().get(made.first())
    assert response.status_code == 302
    assert httpx.get(response["Location"], trust_env=False).content == b"a.txt"
    made.share.refresh_from_db()
    assert made.share.downloads == 1
    assert Client().head(made.first()).status_code == 405


def test_link_is_made_on_its_page_and_shown_once(owner: User, job: Job) -> None:
    result(job, "a.txt")
    client = browser(owner)
    path = f"/jobs/{job.pk}/share/"
    assert path in client.get(f"/jobs/{job.pk}/").content.decode()
    said = client.post(path, {"days": "7", "name": "for Eva", "password": SECRET, "max_downloads": "5"})
    share = ShareLink.objects.get()
    assert f"/s/{share.pk}/?key=" in said.content.decode()
    assert said["Cache-Control"] == "no-store"
    again = client.get(path).content.decode()
    assert "?key=" not in again
    assert "0 of 5" in again
    assert "for Eva" in client.get(f"/jobs/{job.pk}/").content.decode()
    assert client.post(f"/shares/{share.pk}/revoke/", follow=True).status_code == 200
    assert "taken back by ana" in client.get(path).content.decode()
    assert "for Eva" not in client.get(f"/jobs/{job.pk}/").content.decode()


def test_mistake_in_the_form_is_said(owner: User, job: Job) -> None:
    result(job, "a.txt")
    for wrong in ({"days": "x"}, {"days": "7", "password": "short"}, {"days": "7", "max_downloads": "-1"}):
        assert browser(owner).post(f"/jobs/{job.pk}/share/", wrong).status_code == 422
    assert not ShareLink.objects.exists()


def test_stranger_and_viewer_make_and_end_no_links(stranger: User, viewer: User, owner: User, job: Job) -> None:
    made = link(owner, job)
    for who, status in ((stranger, 404), (viewer, 403)):
        assert browser(who).post(f"/jobs/{job.pk}/share/", {"days": "7"}).status_code == status
        assert browser(who).post(f"/shares/{made.share.pk}/revoke/").status_code == status
    assert browser(stranger).get(f"/jobs/{job.pk}/share/").status_code == 404
    assert browser().get(f"/jobs/{job.pk}/share/").status_code == 302


def test_sharing_that_is_switched_off_has_no_form(owner: User, job: Job, settings: Settings) -> None:
    settings.SHARE_MAX_DAYS = 0
    assert "switched off" in browser(owner).get(f"/jobs/{job.pk}/share/").content.decode()
