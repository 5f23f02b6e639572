"""Links made, listed and taken back by REST. What a visitor sees is in tests/frontend/test_shares.py."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from orchestration.models import ShareLink
from tests.api.test_archives import result
from tests.factories import make_job

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import Job, User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    job = make_job(owner, lab, state="SUCCEEDED")
    result(job, "a.txt")
    result(job, "b.txt")
    return job


def test_link_is_made_listed_and_taken_back(ana: Visitor, bruno: Visitor, job: Job) -> None:
    asked = {"days": 7, "name": "for Eva", "password": "open sesame", "max_downloads": 3, "with_manifest": True}
    made = ana.json("POST", f"/jobs/{job.pk}/shares", 201, json=asked)
    assert made["url"].split("/s/")[1].startswith(f"{made['id']}/?key=")
    (listed,) = bruno.json("GET", f"/jobs/{job.pk}/shares")["items"]
    assert listed == {name: value for name, value in made.items() if name != "url"}
    assert (listed["has_password"], listed["max_downloads"], listed["downloads"]) == (True, 3, 0)
    back = bruno.json("DELETE", f"/shares/{made['id']}")
    assert back["revoked_by"] == "bruno"
    assert bruno.json("DELETE", f"/shares/{made['id']}") == back


def test_key_and_password_are_kept_as_hashes(ana: Visitor, job: Job) -> None:
    made = ana.json("POST", f"/jobs/{job.pk}/shares", 201, json={"days": 7, "password": "open sesame"})
    key = made["url"].partition("key=")[2]
    share = ShareLink.objects.get()
    assert len(key) >= 43
    assert bytes(share.key_hash) == hashlib.sha256(key.encode()).digest()
    assert share.password.startswith("md5$")  # the tests' hasher; the real one is Argon2
    assert "open sesame" not in ana("GET", f"/jobs/{job.pk}/shares").text


def test_answer_with_the_key_is_never_kept_for_repeats(ana: Visitor, job: Job) -> None:
    headers = {"Idempotency-Key": "again"}
    first, second = (ana.json("POST", f"/jobs/{job.pk}/shares", 201, json={"days": 1}, headers=headers) for _ in "12")
    assert first["url"] != second["url"]


def test_stranger_and_viewer_make_no_links(ana: Visitor, eva: Visitor, door: Door, viewer: User, job: Job) -> None:
    vera = door.as_(viewer)
    made = ana.json("POST", f"/jobs/{job.pk}/shares", 201, json={"days": 1})
    assert eva("POST", f"/jobs/{job.pk}/shares", json={"days": 1}).status_code == 404
    assert eva("DELETE", f"/shares/{made['id']}").status_code == 404
    assert vera("POST", f"/jobs/{job.pk}/shares", json={"days": 1}).status_code == 403
    assert vera("DELETE", f"/shares/{made['id']}").status_code == 403
    assert vera("GET", f"/jobs/{job.pk}/shares").status_code == 200
    assert ShareLink.objects.get().revoked_at is None


@pytest.mark.parametrize(
    "wrong", [{}, {"days": 0}, {"days": 91}, {"days": 1, "password": "short"}, {"days": 1, "max_downloads": 0}]
)
def test_link_without_an_end_or_with_a_weak_password_is_refused(
    ana: Visitor, job: Job, wrong: dict[str, object]
) -> None:
    assert ana("POST", f"/jobs/{job.pk}/shares", json=wrong).status_code == 422
    assert not ShareLink.objects.exists()


def test_only_results_of_the_job_are_shared(ana: Visitor, owner: User, lab: Workspace, job: Job) -> None:
    other = make_job(owner, lab, state="RUNNING")
    assert ana("POST", f"/jobs/{other.pk}/shares", json={"days": 1}).status_code == 422
    foreign = result(other, "x.txt")
    for pk in (foreign.pk, uuid4()):
        assert ana("POST", f"/jobs/{job.pk}/shares", json={"days": 1, "files": [str(pk)]}).status_code == 404
    assert ana("POST", f"/jobs/{other.pk}/shares", json={"days": 1, "with_manifest": True}).status_code == 409


def test_sharing_can_be_switched_off(ana: Visitor, job: Job, settings: Settings) -> None:
    settings.SHARE_MAX_DAYS = 0
    answer = ana.json("POST", f"/jobs/{job.pk}/shares", 403, json={"days": 1})
    assert "switched off" in answer["detail"]
