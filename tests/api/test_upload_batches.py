"""A thousand uploads at once: each or none, and what is wrong with one is its own answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.models import Upload
from tests.api.uploading import SIZE, begin, content, crc, put

if TYPE_CHECKING:
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


def test_batch_makes_each_or_says_what_is_wrong(ana: Visitor) -> None:
    files = [{"name": f"{n}.txt", "size": 1, "crc64nvme": crc(bytes([n]))} for n in range(3)]
    files.insert(1, {"name": "..", "size": 1})
    said = ana.json("POST", "/uploads:batch", json={"workspace": "lab", "uploads": files})["results"]
    assert [bool(r["upload"]) for r in said] == [True, False, True, True]
    assert said[1]["problem"]["code"] == "invalid_name"
    made = [r["upload"] for r in said if r["upload"]]
    for n, upload in enumerate(made):
        assert put(ana.door, upload["put"], bytes([n])).status_code == 200
    ids = [u["id"] for u in made]
    results = ana.json("POST", "/uploads:complete", json={"ids": [*ids, ids[0]]})["results"]
    assert [r["upload"]["state"] for r in results] == ["complete"] * 4
    assert [content(r["upload"]["file"]["id"]) for r in results[:3]] == [b"\0", b"\1", b"\2"]


def test_atomic_batch_makes_all_or_none(ana: Visitor) -> None:
    files = [{"name": "a", "size": 1}, {"name": "", "size": 1}]
    ana.json("POST", "/uploads:batch", 422, json={"workspace": "lab", "uploads": files, "atomic": True})
    assert not Upload.objects.exists()


def test_batch_completes_what_is_there_and_names_the_rest(ana: Visitor) -> None:
    here = begin(ana, b"x", crc64nvme=crc(b"x"))
    gone = begin(ana, b"y", crc64nvme=crc(b"y"))
    put(ana.door, here["put"], b"x")
    stranger = str(here["id"])[:-4] + "0000"
    said = ana.json("POST", "/uploads:complete", json={"ids": [gone["id"], here["id"], stranger]})["results"]
    assert said[0]["problem"]["code"] == "parts_missing"
    assert said[1]["upload"]["state"] == "complete"
    assert said[2]["problem"]["code"] == "not_found"


def test_batch_resumes_too(ana: Visitor) -> None:
    first = begin(ana, fingerprint="f")
    one = {"name": "a.bin", "size": SIZE, "fingerprint": "f", "resume": True}
    said = ana.json("POST", "/uploads:batch", json={"workspace": "lab", "uploads": [one]})["results"]
    assert said[0]["upload"]["id"] == first["id"]


@pytest.mark.parametrize("prefer", ["return=minimal", 'wait=5, Return="minimal"; x=y'])
def test_who_prefers_little_hears_what_the_next_call_needs(ana: Visitor, prefer: str) -> None:
    whole: dict[str, object] = {"name": "a.txt", "size": 1, "crc64nvme": crc(b"a")}
    files = [whole, {"name": "no-sum.txt", "size": 1}, {"name": "..", "size": 1}]
    headers = {"Prefer": prefer}
    said = ana.json("POST", "/uploads:batch", json={"workspace": "lab", "uploads": files}, headers=headers)["results"]
    assert set(said[0]["upload"]) == {"id", "state", "put", "file"}
    assert said[1]["upload"]["part_size"], "where it must go another way all of it is said"
    assert said[2]["problem"]["code"] == "invalid_name"
    assert put(ana.door, said[0]["upload"]["put"], b"a").status_code == 200
    body = {"ids": [said[0]["upload"]["id"], said[1]["upload"]["id"]]}
    done = ana("POST", "/uploads:complete", json=body, headers=headers)
    assert done.headers["preference-applied"] == "return=minimal"
    first, second = done.json()["results"]
    assert set(first["upload"]) == {"id", "state", "put", "file"}
    assert (first["upload"]["state"], content(first["upload"]["file"]["id"])) == ("complete", b"a")
    assert second["problem"]["code"] == "parts_missing"


def test_who_prefers_nothing_hears_all(ana: Visitor) -> None:
    body = {"uploads": [{"name": "a.txt", "size": 1, "crc64nvme": crc(b"a")}]}
    answer = ana("POST", "/uploads:batch", json=body, headers={"Prefer": "respond-async"})
    assert "preference-applied" not in answer.headers
    assert answer.json()["results"][0]["upload"]["part_size"]
