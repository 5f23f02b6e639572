"""JSON that is nested too deep is refused before it costs anything, and lists have an end."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from api_app.main import app
from api_app.nesting import DEEPEST, is_too_deep
from api_app.paging import MOST
from tests.api.test_access import ROUTES

if TYPE_CHECKING:
    from orchestration.models import User
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db
JSON = {"Content-Type": "application/json"}
# A log is bytes, and a run of WES a form.
TAKES_JSON = [r for r in ROUTES if r[0] in {"POST", "PATCH"} and r[2] not in {"append_log", "begin_run"}]


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


def ids(route: tuple[str, str, str]) -> str:
    return f"{route[0]} {route[2]}"


@pytest.mark.parametrize("route", TAKES_JSON, ids=ids)
def test_every_route_refuses_deep_json(ana: Visitor, route: tuple[str, str, str]) -> None:
    method, path, _ = route
    for content in (deep(DEEPEST + 1), '{"a":' * 100_000, json.dumps({"params": json.loads(deep(DEEPEST))})):
        answer = ana.door.send(method, path, ana.token, content=content, headers=JSON)
        said = answer.json()
        if path.startswith("/ga4gh/wes/"):  # with errors of its own form
            assert (answer.status_code, f"nested deeper than {DEEPEST} levels" in said["msg"]) == (400, True), said
            continue
        assert (answer.status_code, said["code"]) == (422, "too_deep"), answer.text
        assert said["detail"] == f"The JSON is nested deeper than {DEEPEST} levels. Send it flatter."


def test_an_upload_that_begins_as_json_too(ana: Visitor) -> None:
    headers = JSON | {"Idempotency-Key": "k"}
    answer = ana("POST", "/uploads", content='{"name": ' + deep(DEEPEST) + "}", headers=headers)
    assert answer.json()["code"] == "too_deep"


def test_a_file_may_hold_json_as_deep_as_it_likes(ana: Visitor) -> None:
    content = deep(10_000)
    assert ana("POST", "/uploads?name=deep.json", content=content, headers=JSON).status_code == 201
    assert ana("PUT", "/files/deep2.json", content=content, headers=JSON).status_code == 201


def test_brackets_in_texts_do_not_count(ana: Visitor) -> None:
    name = "[" * 90 + '\\"{[' + "]"
    answer = ana("POST", "/jobs", json={"pipeline": "none", "name": name})
    assert answer.status_code == 404, answer.text


def test_what_is_allowed_reaches_the_route(ana: Visitor) -> None:
    body = '{"pipeline": "none", "params": {"a": ' + deep(DEEPEST - 2) + "}}"
    assert ana("POST", "/jobs", content=body, headers=JSON).status_code == 404


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_is_utf8(ana: Visitor, encoding: str) -> None:
    answer = ana("POST", "/jobs", content='{"pipeline": "noop"}'.encode(encoding), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "Send the JSON in UTF-8."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":"\\\\"' + b"[" * 100, True),  # the backslash is escaped, the text has ended
        (b'{"a":"\\"' + b"[" * 100, False),  # the quote is escaped, it has not
        (b'"' + b'\\"' * 500_000 + b"[" * 100, False),
        (b'"[' * 500_000, True),
        (b"[]" * 100_000, False),
        (b"]" * 100 + b"[" * 164, False),
        (b"[" * 65, True),
        (b'[{"k":[' * 21 + b"[]", False),
        (b'[{"k":[' * 21 + b"[[", True),
    ],
)
def test_depth_is_counted_as_a_parser_would_and_in_one_pass(body: bytes, expected: bool) -> None:  # noqa: FBT001
    began = time.process_time()
    assert is_too_deep(body) is expected
    assert time.process_time() - began < 1, "a second try for each quote would take hours"


def listings() -> dict[tuple[str, str], dict[str, Any]]:
    """GET routes whose answer is a list of rows, and what they say of `limit`."""
    document = app.openapi()
    found = {}
    for path, operations in document["paths"].items():
        get = operations.get("get")
        content = get["responses"].get("200", {}).get("content", {}) if get else {}
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "items" in document["components"]["schemas"].get(name, {}).get("properties", {}):
            limits = [p["schema"] for p in get["parameters"] if p["name"] == "limit"] if "parameters" in get else []
            found[get["operationId"], path] = limits[0] if limits else {}
    return found


# The newest MOST, without pages.
WHOLE = {"list_members", "list_tokens", "list_service_accounts", "list_service_tokens"}


def test_every_listing_has_pages_with_an_end(ana: Visitor, owner: User) -> None:
    ids = {name: path for _, path, name in ROUTES}
    assert len(listings()) > 8
    for (name, _), limit in listings().items():
        if name in WHOLE:
            continue
        assert limit.get("minimum") == 1, f"{name} takes a limit of its own"
        assert limit["maximum"] <= MOST, name
        assert limit["default"] <= MOST, name
        address = ids[name].removeprefix("/api/v1")
        for beyond in (0, -1, limit["maximum"] + 1, 10**30):
            assert ana("GET", f"{address}?limit={beyond}").status_code == 422, name


def test_every_list_in_a_body_has_an_end() -> None:
    document = app.openapi()
    asked: list[Any] = [
        content["schema"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    seen, endless = set(), []
    while asked:
        schema = asked.pop()
        if name := schema.get("$ref", "").rpartition("/")[2]:
            if name not in seen:
                seen.add(name)
                asked.append({"title": name, **document["components"]["schemas"][name]})
            continue
        if schema.get("type") == "array" and "maxItems" not in schema and "enum" not in schema.get("items", {}):
            endless.append(schema)
        inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        asked += [*inner, *(schema[key] for key in ("items",) if key in schema)]
    assert len(seen) > 10
    assert not endless


def test_a_token_list_is_bounded(door: Door, ana: Visitor) -> None:
    assert len(ana.json("GET", "/tokens")["items"]) <= MOST
