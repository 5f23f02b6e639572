"""The door for clients that other people wrote: tus 1.0, and the IETF's draft where it is switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api_app.errors import problem
from api_app.gate import TUS
from api_app.refusals import note
from api_app.tus import ietf, v1
from api_app.tus.appending import as_sender, settled_upload
from api_app.tus.offered import is_offered
from orchestration.errors import OrchestrationError
from orchestration.services.uploads.complete import abort

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    from starlette.types import Receive, Scope, Send


ALLOW: Final = {False: "OPTIONS, POST", True: "DELETE, HEAD, OPTIONS, PATCH, POST"}


class Tus:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        dialect = ietf if settings.UPLOAD_IETF and ietf.is_spoken(request) else v1
        try:
            response = await _answered(request, dialect)
        except OrchestrationError as exc:
            await note(request, exc)
            response = dialect.refused(exc)
        except ClientDisconnect:
            return
        response.headers.update(dialect.always(request))
        response.headers.setdefault("cache-control", "no-store")
        await response(scope, receive, send)


async def _answered(request: Request, dialect: ModuleType) -> Response:
    if not is_offered():
        return problem(404)
    method = request.headers.get("x-http-method-override", request.method).upper()
    if method == "OPTIONS":
        return Response(status_code=204, headers=v1.options() | (ietf.options() if settings.UPLOAD_IETF else {}))
    refusal: Response | None = dialect.unspoken(request)
    if refusal is not None:
        return refusal
    act: Callable[[Request], Awaitable[Response]] | None = {
        (False, "POST"): dialect.create,
        (True, "HEAD"): dialect.head,
        (True, "PATCH"): dialect.patch,
        (True, "DELETE"): _delete,
    }.get(("upload_id" in request.path_params, method))
    return await act(request) if act else problem(405, headers={"allow": ALLOW["upload_id" in request.path_params]})


async def _delete(request: Request) -> Response:
    upload = await settled_upload(request)
    await as_sender(request, lambda who: abort(user=who.user, upload=upload))
    return Response(status_code=204)


routes: Final = [
    Route(TUS, Tus(), methods=["POST", "OPTIONS"]),
    Route(f"{TUS}/{{upload_id:uuid}}", Tus(), methods=["HEAD", "PATCH", "DELETE", "POST", "OPTIONS"]),
]
