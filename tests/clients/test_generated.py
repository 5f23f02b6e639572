"""What is committed is what the contract gives now; and a client can ask for everything that the contract has."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from api_app.client import AsyncClient, Client
from api_app.client.calls import Call, Listing
from project.clients import python
from project.clients.document import REPO, operations, spoken
from project.clients.python_calls import LEFT_OUT, modules

if TYPE_CHECKING:
    from pathlib import Path


def test_committed_files_are_what_the_contract_gives_now() -> None:
    wanted = python.files()
    there = {path.relative_to(REPO): path.read_text() for path in (REPO / python.PACKAGE).glob("*.py")}
    assert set(there) == set(wanted), "`make clients` writes them anew"
    assert [path for path in wanted if there[path] != wanted[path]] == [], "`make clients` writes them anew"


def test_every_operation_has_a_call_that_asks_for_it() -> None:
    document = spoken()
    found = {operation.name: operation for operation in operations(document) if operation.name not in LEFT_OUT}
    assert len(found) > 60
    calls = {name: _call(module, name) for module in modules(document) for name in _functions(module)}
    assert set(calls) == set(found)
    for name, call in calls.items():
        operation = found[name]
        assert (call.method.lower(), call.path) == (operation.method, operation.path.replace("{", "").replace("}", ""))
        assert isinstance(call, Listing) == (name.startswith("list_") and name != "list_signing_keys"), name


def _functions(module: str) -> list[str]:
    code = import_module(f"api_app.client.contract.{module}")
    return [name for name, one in vars(code).items() if inspect.isfunction(one) and one.__module__ == code.__name__]


def _call(module: str, name: str) -> Call[Any]:
    function = getattr(import_module(f"api_app.client.contract.{module}"), name)
    required = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
    made: Call[Any] = function(*({} if one.name == "body" else one.name for one in required))
    return made


def test_what_changes_something_is_asked_again_only_under_a_key() -> None:
    document = spoken()
    for module in modules(document):
        for name in _functions(module):
            call = _call(module, name)
            is_safe = call.method == "GET" or call.key is not None
            assert (call.repeat.name == "ALWAYS") == is_safe, name


def test_two_schemas_under_one_name_are_refused(tmp_path: Path) -> None:
    document = json.loads((REPO / "docs" / "openapi.json").read_text())
    document["components"]["schemas"]["Job"] = document["components"]["schemas"]["JobOut"]
    document["components"]["schemas"]["MeOut"]["properties"]["job"] = {"$ref": "#/components/schemas/Job"}
    contract = tmp_path / "openapi.json"
    contract.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="Job, JobOut"):
        spoken(contract)


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    mine, theirs = _methods(Client), _methods(AsyncClient)
    # A stream of bytes to read by and by: whoever awaits asks for the bytes, or downloads.
    # By its path alone the command asks, for whoever typed it; a program has `ask`, which is typed.
    assert set(mine) - set(theirs) == {"open_file", "call"}
    assert set(theirs) <= set(mine)
    assert {name: mine[name] for name in theirs} == theirs


def _methods(client: type) -> dict[str, list[tuple[str, object, object]]]:
    return {
        name: [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }
