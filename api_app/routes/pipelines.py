from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from api_app.answers import pipeline_out
from api_app.auth import ask
from api_app.paging import Cursor, Limit, page
from api_app.schemas import Listing, PipelineOut
from orchestration.models import Pipeline, User
from orchestration.services.pipelines import find_version

router = APIRouter(tags=["pipelines"])


@router.get("/pipelines")
async def list_pipelines(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Listing[PipelineOut]:
    """In their newest version."""
    return await ask(request, _list, limit, cursor)


def _list(user: User, limit: int, cursor: str | None) -> Listing[PipelineOut]:
    rows = Pipeline.objects.visible_to(user).filter(latest__isnull=False)
    rows = rows.select_related("latest").prefetch_related("versions").defer("latest__yaml")
    found = page(rows, limit=limit, cursor=cursor, descending=False)
    items = [pipeline_out(row.latest, _versions(row)) for row in found.rows if row.latest is not None]
    return Listing(items=items, next_cursor=found.next_cursor)


def _versions(pipeline: Pipeline) -> list[str]:
    """Newest first."""
    return [row.version for row in sorted(pipeline.versions.all(), key=lambda row: row.pk, reverse=True)]


@router.get("/pipelines/{name}")
async def show_pipeline(
    request: Request, name: Annotated[str, Path(max_length=128, pattern=r"^[-a-zA-Z0-9_.@+]+$")]
) -> PipelineOut:
    """`inspect` is its newest version, `inspect@1.0.0` that one."""
    return await ask(request, _show, name)


def _show(user: User, name: str) -> PipelineOut:
    version = find_version(user=user, reference=name)
    return pipeline_out(version, _versions(version.pipeline))
