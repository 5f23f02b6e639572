"""What is to go says so, since when and until when, in the document and in each answer."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.responses import Response

from api_app.deprecation import DEPRECATED, Deprecation, Notice, mark
from api_app.main import app as real

OLD = Notice(date(2026, 11, 2), "Use `GET /new`.", date(2027, 11, 2))
NOTICES = {
    "show_old": OLD,
    "stream_old": Notice(date(2026, 11, 2), "Use `GET /new`."),
    "show_new?was": OLD,
    "Thing.colour": OLD,
}


class Thing(BaseModel):
    name: str
    colour: str


def made_up() -> FastAPI:
    app = FastAPI(
        middleware=[Middleware(Deprecation, notices=NOTICES)], generate_unique_id_function=lambda route: route.name
    )

    @app.get("/old")
    async def show_old(fails: bool = False) -> Thing:  # noqa: FBT001, FBT002  a query parameter
        """What it is for."""
        return Thing(name="old", colour="") if not fails else Thing.model_validate({})

    @app.get("/stream")
    async def stream_old() -> Response:
        return Response(b"bytes", headers={"link": '</next>; rel="next"'})

    @app.get("/new")
    async def show_new(was: str = "") -> Thing:
        return Thing(name="new", colour=was)

    return app


def ask(path: str) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made_up()), base_url="http://testserver") as client:
            return await client.get(path)

    return async_to_sync(go)()


@pytest.fixture
def document() -> dict[str, Any]:
    found = made_up().openapi()
    mark(found, NOTICES)
    return found


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?fails=maybe", 422)])
def test_deprecated_operation_says_so_in_each_answer(query: str, status: int) -> None:
    answer = ask(f"/old{query}")
    assert answer.status_code == status
    assert answer.headers["deprecation"] == "@1793577600"
    assert answer.headers["sunset"] == "Tue, 02 Nov 2027 00:00:00 GMT"
    assert answer.headers["link"] == '</docs/api/#show_old>; rel="deprecation"; type="text/html"'


def test_without_a_day_nothing_is_said_of_one_and_other_links_stay() -> None:
    answer = ask("/stream")
    assert "deprecation" in answer.headers
    assert "sunset" not in answer.headers
    assert [link.split("; ")[1] for link in answer.headers.get_list("link", split_commas=True)] == [
        'rel="next"',
        'rel="deprecation"',
    ]


@pytest.mark.parametrize("path", ["/new", "/nowhere"])
def test_others_say_nothing(path: str) -> None:
    assert not {"deprecation", "sunset", "link"} & set(ask(path).headers)


def test_document_marks_operations_parameters_and_fields(document: dict[str, Any]) -> None:
    operation = document["paths"]["/old"]["get"]
    parameter = document["paths"]["/new"]["get"]["parameters"][0]
    field = document["components"]["schemas"]["Thing"]["properties"]["colour"]
    for one in (operation, parameter, field):
        assert one["deprecated"] is True
        assert one["x-sunset"] == "2027-11-02"
        assert one["description"].endswith(
            "Deprecated since 2026-11-02, and may be gone from 2027-11-02 on. Use `GET /new`."
        )
    assert operation["description"].startswith("What it is for.")
    assert "deprecated" not in document["paths"]["/new"]["get"]
    assert "deprecated" not in document["components"]["schemas"]["Thing"]["properties"]["name"]
    assert "x-sunset" not in document["paths"]["/stream"]["get"]


@pytest.mark.parametrize("name", ["nothing", "show_new?nothing", "Thing.nothing", "Nothing.name"])
def test_slip_in_the_table_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match=r"(?i)nothing"):
        mark(made_up().openapi(), {name: OLD})


def test_clients_have_a_year() -> None:
    with pytest.raises(ValueError, match="2027-11-02 at the earliest"):
        Notice(date(2026, 11, 2), "Use `GET /new`.", date(2027, 11, 1))


def test_table_of_the_product_fits_its_document() -> None:
    marked = [one for path in real.openapi()["paths"].values() for one in path.values() if one.get("deprecated")]
    assert {one["operationId"] for one in marked} == {name for name in DEPRECATED if not {"?", "."} & set(name)}
