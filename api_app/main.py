"""Builds the FastAPI app that answers everything under /api."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from api_app import errors
from api_app.database import close_lanes
from api_app.gate import Gate
from api_app.routes import (
    account,
    attempts,
    events,
    files,
    jobs,
    openapi,
    parts,
    pipelines,
    retention,
    runner,
    tus,
    uploads,
)
from api_app.schemas import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi.routing import APIRoute

PREFIX = "/api/v1"


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    close_lanes()


def _operation_id(route: APIRoute) -> str:
    return route.name


def build() -> FastAPI:
    app = FastAPI(
        title="Esteira",
        version="1",
        # Served by a route of our own to those who may use it; no page with scripts from elsewhere.
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=[Middleware(Gate)],
        generate_unique_id_function=_operation_id,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    errors.install(app)
    v1 = APIRouter(prefix=PREFIX, redirect_slashes=False)
    for module in (account, uploads, files, retention, pipelines, jobs, events, attempts, openapi):
        v1.include_router(module.router)
    app.router.routes.extend([*parts.routes, *tus.routes])
    app.include_router(v1)
    app.include_router(runner.router)
    return app


app = build()
