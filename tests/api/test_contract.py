"""The contract of /api/v1 is committed, and a change of it is one that clients survive."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from api_app.main import app
from tests.api.contract import broken
from tests.live.platform import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FILE: Final = ROOT / "docs" / "openapi.json"
HOW: Final = (
    "The API is another than docs/openapi.json says. make test ARGS='tests/api/test_contract.py --write-openapi'"
    " writes it anew, and refuses what would break clients."
)


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(app.openapi())


def test_contract_is_committed_and_changes_only_as_clients_survive(
    document: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--write-openapi"):
        before = json.loads(FILE.read_text()) if FILE.exists() else document
        breaks = broken(before, document)
        assert not breaks or request.config.getoption("--break-openapi"), breaks
        FILE.write_text(written(document))
    assert FILE.read_text() == written(document), HOW


def test_no_two_templates_are_one_address(document: dict[str, Any]) -> None:
    """OpenAPI forbids `/files/{file_id}` beside `/files/{name}`: nobody could tell whose methods are whose."""
    addresses = [re.sub(r"{[^}]*}", "{}", path) for path in document["paths"]]
    assert sorted(set(addresses)) == sorted(addresses)


def test_bounds_are_said_in_the_words_of_json_schema(document: dict[str, Any]) -> None:
    """Behind a validator pydantic writes its own, which no client reads."""
    assert not re.findall(r'"(?:ge|gt|le|lt|max_length|min_length)": \d+', json.dumps(document["components"]))


def schema(document: dict[str, Any], name: str) -> Any:
    return document["components"]["schemas"][name]


def gone(document: dict[str, Any]) -> None:
    del document["paths"]["/api/v1/jobs/{job_id}/retry"]


def less_said(document: dict[str, Any]) -> None:
    del schema(document, "JobOut")["properties"]["name"]


def maybe_said(document: dict[str, Any]) -> None:
    schema(document, "JobOut")["required"].remove("name")


def another_type(document: dict[str, Any]) -> None:
    schema(document, "JobOut")["properties"]["priority"] = {"type": "string"}


def null_said(document: dict[str, Any]) -> None:
    schema(document, "FileOut")["properties"]["size"] = {"anyOf": [{"type": "integer"}, {"type": "null"}]}


def more_asked(document: dict[str, Any]) -> None:
    schema(document, "JobIn")["required"].append("name")


def less_taken(document: dict[str, Any]) -> None:
    del schema(document, "JobIn")["properties"]["labels"]


def shorter(document: dict[str, Any]) -> None:
    schema(document, "JobIn")["properties"]["name"]["maxLength"] = 10


def fewer_values(document: dict[str, Any]) -> None:
    schema(document, "BulkAction")["enum"] = ["cancel"]


def parameter_gone(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/jobs"]["get"]
    operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "q"]


def parameter_needed(document: dict[str, Any]) -> None:
    for one in document["paths"]["/api/v1/jobs"]["get"]["parameters"]:
        one["required"] = one["name"] == "limit"


def answer_gone(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/bulk"]["post"]
    operation["responses"]["200"] = operation["responses"].pop("202")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (gone, "POST /api/v1/jobs/{job_id}/retry is gone"),
        (less_said, ".name is gone"),
        (maybe_said, ".name may be missing now"),
        (another_type, ".priority may be string now"),
        (null_said, ".size may be null now"),
        (more_asked, "POST /api/v1/jobs: body.name must be sent now"),
        (less_taken, "POST /api/v1/jobs: body.labels is gone"),
        (shorter, "POST /api/v1/jobs: body.name: maxLength is 10 now"),
        (fewer_values, "body.action takes no label or priority or rerun or resubmit or retry any more"),
        (parameter_gone, "GET /api/v1/jobs: parameter q is gone"),
        (parameter_needed, "GET /api/v1/jobs: parameter limit must be given now"),
        (answer_gone, "POST /api/v1/bulk: no answer 202 any more"),
    ],
)
def test_change_that_breaks_clients_is_named(
    document: dict[str, Any], change: Callable[[dict[str, Any]], None], said: str
) -> None:
    after = copy.deepcopy(document)
    change(after)
    assert any(said in one for one in broken(document, after)), broken(document, after)


def test_what_clients_survive_is_no_break(document: dict[str, Any]) -> None:
    after = copy.deepcopy(document)
    after["paths"]["/api/v1/new"] = {"get": {"responses": {"200": {}}}}
    schema(after, "JobOut")["properties"]["extra"] = {"type": "string"}
    schema(after, "JobIn")["properties"]["extra"] = {"type": "string"}
    schema(after, "JobIn")["properties"]["name"]["maxLength"] = 1_000
    schema(after, "JobState")["enum"].append("PAUSED")
    assert broken(document, after) == []
    assert broken(document, document) == []


@pytest.mark.parametrize(("sunset", "breaks"), [("2025-01-31", False), ("2999-01-31", True), (None, True)])
def test_what_was_deprecated_may_go_from_its_sunset_on(
    document: dict[str, Any], sunset: str | None, *, breaks: bool
) -> None:
    operation = document["paths"]["/api/v1/jobs/{job_id}/retry"]["post"]
    parameter = document["paths"]["/api/v1/jobs"]["get"]["parameters"][0]
    for one in (operation, parameter, schema(document, "JobOut")["properties"]["name"]):
        one.update({"deprecated": True} | ({"x-sunset": sunset} if sunset else {}))
    after = copy.deepcopy(document)
    gone(after)
    less_said(after)
    del after["paths"]["/api/v1/jobs"]["get"]["parameters"][0]
    said = broken(document, after)
    assert [any(part in one for one in said) for part in ("retry is gone", ".name is gone", "parameter state")] == [
        breaks
    ] * 3


def test_day_without_a_deprecation_lets_nothing_go(document: dict[str, Any]) -> None:
    document["paths"]["/api/v1/jobs/{job_id}/retry"]["post"]["x-sunset"] = "2025-01-31"
    after = copy.deepcopy(document)
    gone(after)
    assert broken(document, after) == ["POST /api/v1/jobs/{job_id}/retry is gone"]
