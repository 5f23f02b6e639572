"""Builds the FastAPI app that answers everything under /api and /ga4gh."""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from api_app import errors, refusals
from api_app.database import close_lanes
from api_app.deprecation import DEPRECATED, Deprecation
from api_app.description import described
from api_app.ga4gh.wording import WES, WesErrors
from api_app.gate import BUNDLE, PART, Gate
from api_app.idempotency import Idempotency
from api_app.nesting import Nesting
from api_app.rates.layer import Rates
from api_app.routes import (
    account,
    attempts,
    bulk,
    events,
    files,
    jobs,
    manifests,
    members,
    notifications,
    openapi,
    parts,
    pipelines,
    retention,
    runner,
    service_accounts,
    shares,
    tes,
    tokens,
    tus,
    uploads,
    webhooks,
    wes,
)
from api_app.schemas import Problem
from api_app.short_way import PLACE, ShortWay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi.routing import APIRoute
    from starlette.types import Receive, Scope, Send

PREFIX = "/api/v1"
LAYERS: Final = (
    Middleware(Gate),
    Middleware(Deprecation, notices=DEPRECATED),
    Middleware(Rates),
    Middleware(Nesting),
    Middleware(Idempotency),
)


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    close_lanes()


class Api(FastAPI):
    """Parts and jobs come by the thousand and need little of what FastAPI does: they take a shorter way."""

    _document: dict[str, Any] | None = None
    short_way: ShortWay

    def openapi(self) -> dict[str, Any]:
        # FastAPI keeps what it made; completed in place, a second caller might be given the half of it.
        if self._document is None:
            self._document = described(copy.deepcopy(super().openapi()))
        return self._document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "PUT" and (found := PART.fullmatch(scope["path"])):
            await parts.put_part(UUID(found[1]), int(found[2]), scope, receive, send)
        elif scope["type"] == "http" and (scope["method"], scope["path"]) == PLACE:
            await self.short_way(scope, receive, send)
        elif scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", BUNDLE):
            await parts.put_bundle(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(f"{WES}/"):
            await super().__call__(scope, receive, WesErrors(send))
        else:
            await super().__call__(scope, receive, send)


def _operation_id(route: APIRoute) -> str:
    return route.name


def build() -> Api:
    app = Api(
        title="Esteira",
        version="1",
        # Served by a route of our own to those who may use it; no page with scripts from elsewhere.
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=LAYERS,
        generate_unique_id_function=_operation_id,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    errors.install(app)
    refusals.install(app)
    v1 = APIRouter(prefix=PREFIX, redirect_slashes=False)
    for module in (
        account,
        tokens,
        service_accounts,
        members,
        notifications,
        uploads,
        files,
        retention,
        pipelines,
        jobs,
        manifests,
        shares,
        bulk,
        events,
        attempts,
        webhooks,
        openapi,
    ):
        v1.include_router(module.router)
    app.router.routes.extend(tus.routes)
    app.include_router(v1)
    app.include_router(runner.router)
    app.include_router(wes.router)
    app.include_router(tes.router)
    app.short_way = ShortWay(app, LAYERS)
    return app


app = build()


def document() -> dict[str, Any]:
    """For the page of the web interface, which finds it by the setting `API_DOCUMENT`."""
    return app.openapi()
