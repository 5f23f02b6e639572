from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api_app.auth import ask

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def show_openapi(request: Request) -> Response:
    """The description of this API, for whoever may use it (SEC-006)."""
    await ask(request, lambda _user: None)
    return JSONResponse(request.app.openapi())
