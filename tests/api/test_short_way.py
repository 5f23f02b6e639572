"""Jobs are submitted past most of FastAPI: whoever asks must not be able to tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from fastapi import FastAPI

from api_app import short_way
from api_app.main import Api
from tests.factories import make_file, publish_pipeline

if TYPE_CHECKING:
    import httpx

    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db

JSON: Final = {"content-type": "application/json"}
ITS_OWN: Final = frozenset({"id", "url", "created_at", "version"})
BODIES: Final = {
    "whole": b'{"pipeline": "noop", "inputs": ["%(file)s"], "labels": {"a": "b"}, "priority": 2}',
    "looked at only": b'{"pipeline": "noop", "inputs": ["%(file)s"], "validate_only": true}',
    "with another charset": '{"pipeline": "noop", "inputs": ["%(file)s"], "name": "ação"}'.encode("utf-16"),
    "unknown pipeline": b'{"pipeline": "nowhere"}',
    "unknown field": b'{"pipeline": "noop", "inputs": ["%(file)s"], "colour": "red"}',
    "wrong types": b'{"pipeline": 7, "inputs": "x", "labels": {"a": 1}, "priority": 101, "deadline": "soon"}',
    "a number as text": b'{"pipeline": "noop", "inputs": ["%(file)s"], "priority": "2"}',
    "no pipeline": b"{}",
    "null": b"null",
    "a list": b"[1]",
    "nothing": b"",
    "no JSON": b'{"pipeline": ',
    "no text": b'{"pipeline": "\xff"}',
    "endless number": b'{"priority": ' + b"9" * 5_000 + b"}",
    "not a number": b'{"pipeline": "noop", "priority": NaN}',
    "half a pair": b'{"pipeline": "noop", "inputs": ["%(file)s"], "name": "\\ud800"}',
    "too deep": b'{"params": ' + b"[" * 100 + b"]" * 100 + b"}",
}
HEADERS: Final[dict[str, dict[str, str]]] = {
    "key": JSON | {"Idempotency-Key": "k-1"},
    "empty key": JSON | {"Idempotency-Key": ""},
    "long key": JSON | {"Idempotency-Key": "k" * 65},
    "odd key": JSON | {"Idempotency-Key": "a b"},
    "no JSON": {"content-type": "text/plain"},
    "JSON with a parameter": {"content-type": "application/json; charset=utf-8"},
    "no token": JSON | {"Authorization": ""},
    "mistyped token": JSON | {"Authorization": "Bearer est_pat_x"},
}


@pytest.fixture
def file(owner: User, lab: Workspace) -> str:
    publish_pipeline()
    return str(make_file(lab, owner).pk)


@pytest.mark.parametrize("name", BODIES)
def test_any_body_is_answered_as_fastapi_would(
    name: str, ana: Visitor, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same(ana, BODIES[name].replace(b"%(file)s", file.encode()), JSON, monkeypatch)


@pytest.mark.parametrize("name", HEADERS)
def test_any_headers_are_answered_as_fastapi_would(
    name: str, ana: Visitor, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same(
        ana,
        json.dumps({"pipeline": "noop", "inputs": [file], "x" * (name != "key"): 1}).encode(),
        HEADERS[name],
        monkeypatch,
    )


def test_the_same_key_gives_the_job_that_the_long_way_made(
    ana: Visitor, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = json.dumps({"pipeline": "noop", "inputs": [file]}).encode(), HEADERS["key"]
    with monkeypatch.context() as patched:
        patched.setattr(Api, "__call__", FastAPI.__call__)
        made = ana("POST", "/jobs", content=body, headers=headers)
    again = ana("POST", "/jobs", content=body, headers=headers)
    assert (made.status_code, again.status_code, again.json()["id"]) == (201, 200, made.json()["id"])


def test_the_short_way_is_taken(ana: Visitor, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FastAPI, "__call__", None)
    assert ana("POST", "/jobs", json={"pipeline": "noop", "inputs": [file]}).status_code == 201
    assert short_way.PLACE == ("POST", "/api/v1/jobs")


def _same(ana: Visitor, body: bytes, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    short = ana("POST", "/jobs", content=body, headers=headers)
    with monkeypatch.context() as patched:
        patched.setattr(Api, "__call__", FastAPI.__call__)
        long = ana("POST", "/jobs", content=body, headers=headers)
    assert _told(short) == _told(long)


def _told(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    said = answer.json()
    headers = dict(answer.headers)
    for name in ("x-request-id", "content-length", "location", "ratelimit"):
        headers.pop(name, None)
    return answer.status_code, headers, {name: value for name, value in said.items() if name not in ITS_OWN}
