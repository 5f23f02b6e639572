"""`POST /jobs` past FastAPI's routing and dependencies, which take longer than a job: same function, same answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api_app.errors import CLIENT_LEFT, STATUS, misfit, problem
from api_app.job_schemas import JobIn
from api_app.refusals import noted_answer
from api_app.routes.jobs import IdempotencyKey, submit_job

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI
    from starlette.middleware import Middleware
    from starlette.types import ASGIApp, Receive, Scope, Send

PLACE: Final = ("POST", "/api/v1/jobs")
_BODY: Final[TypeAdapter[JobIn]] = TypeAdapter(JobIn)
_KEY: Final[TypeAdapter[str | None]] = TypeAdapter(IdempotencyKey)


class ShortWay:
    """Behind the same layers as everything else."""

    def __init__(self, app: FastAPI, layers: Iterable[Middleware]) -> None:
        self._api = app
        routes = [context.original_route for context in iter_route_contexts(app.router.routes)]
        (self._route,) = (one for one in routes if getattr(one, "endpoint", None) is submit_job)
        inner: ASGIApp = self._submit
        for layer in reversed([*layers]):
            inner = layer.cls(inner, *layer.args, **layer.kwargs)
        self._app = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._api
        await self._app(scope, receive, send)

    async def _submit(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"], scope["endpoint"] = self._route, submit_job
        request, told = Request(scope, receive), Response(status_code=201)
        try:
            body, key = _given(await request.body(), request.headers.get("idempotency-key"))
            made = await submit_job(request, told, body, key)
        except RequestValidationError as exc:
            response = misfit(exc)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_LEFT)
        except _NotJson:
            response = problem(400, "There was an error parsing the body")
        except tuple(STATUS) as exc:
            response = await noted_answer(request, exc)
        else:
            response = Response(made.model_dump_json(), told.status_code, media_type="application/json")
            if (location := told.headers.get("location")) is not None:
                response.headers["location"] = location
        await response(scope, receive, send)


class _NotJson(Exception):
    """Not even text, or a number without end."""


def _given(body: bytes, key: str | None) -> tuple[JobIn, str | None]:
    """Raises RequestValidationError, which names all that does not fit."""
    read = _read(body)
    faults: list[dict[str, Any]] = []
    wanted: JobIn | None = None
    try:
        key = _KEY.validate_python(key)
    except ValidationError as exc:
        faults += _placed(exc, "header", "idempotency-key")
    if not body:
        faults.append({"loc": ("body",), "msg": "Field required"})
    else:
        try:
            wanted = _BODY.validate_python(read, from_attributes=True)  # as FastAPI does
        except ValidationError as exc:
            faults += _placed(exc, "body")
    if faults or wanted is None:
        raise RequestValidationError(faults)
    return wanted, key


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except json.JSONDecodeError as exc:
        raise RequestValidationError([{"loc": ("body", exc.pos), "msg": "JSON decode error"}]) from exc
    except ValueError as exc:
        raise _NotJson from exc


def _placed(exc: ValidationError, *place: str) -> list[dict[str, Any]]:
    found = exc.errors(include_url=False, include_context=False, include_input=False)
    return [{**one, "loc": (*place, *one["loc"])} for one in found]
