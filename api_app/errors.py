"""From an exception to an answer: the one table of HTTP statuses, and RFC 9457 bodies."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.db import DataError, InterfaceError, OperationalError
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api_app.database import Busy
from api_app.methods import allowed
from orchestration import errors as domain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
CLIENT_LEFT: Final = 499


class NotAuthenticated(Exception):
    """Send a valid API token: `Authorization: Bearer est_…`. Make one with `esteira login`."""


class TooManyTries(Exception):
    """Too many wrong passwords. Wait a minute."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many wrong passwords for this account from here. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class FormInsteadOfFile(Exception):
    """This address takes the file's bytes alone, not a form around them: curl -T FILE, or --data-binary @FILE."""


STATUS: Final[dict[type[Exception], int]] = {
    domain.NotFound: 404,
    domain.Forbidden: 403,
    domain.Conflict: 409,
    domain.Invalid: 422,
    domain.TooLarge: 413,
    domain.SendDirectly: 413,
    domain.UploadExpired: 410,
    domain.EventsGone: 410,
    domain.TooManyOpenUploads: 429,
    domain.TooManyPasswords: 429,
    domain.TooManyLive: 429,
    domain.LengthRequired: 411,
    domain.WrongLength: 400,
    domain.PartDamaged: 400,
    domain.StorageFull: 507,
    domain.StorageUnavailable: 503,
    domain.StorageRejected: 502,
    domain.SigningKeyRevoked: 503,
    domain.AttemptFenced: 409,
    domain.LogOffset: 409,
    domain.EngineUnavailable: 503,
    domain.EngineRejected: 502,
    domain.OrchestrationError: 500,
    NotAuthenticated: 401,
    FormInsteadOfFile: 415,
    TooManyTries: 429,
    Busy: 503,
    # A failover, a full pool, a lock or a statement that took too long: the same request may pass in a moment.
    OperationalError: 503,
    InterfaceError: 503,
    PoolTimeout: 503,
    # What PostgreSQL cannot store: NUL in a text, a number out of range, half a surrogate pair.
    DataError: 422,
    UnicodeEncodeError: 422,
}
CODES: Final = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    410: "gone",
    413: "too_large",
    414: "too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "invalid",
    429: "too_many_requests",
    431: "too_large",
    500: "internal",
    503: "unavailable",
}
# What an exception says of itself is for logs, unless we wrote it for the reader.
SENTENCES: Final[dict[type[Exception], str]] = {
    OperationalError: "The database does not answer just now. Try again in a moment.",
    InterfaceError: "The database does not answer just now. Try again in a moment.",
    PoolTimeout: "The database does not answer just now. Try again in a moment.",
    domain.StorageUnavailable: "The object storage does not answer just now. Try again in a moment.",
    domain.StorageRejected: "The object storage refused this. It has been noted with the id in X-Request-Id.",
    DataError: "The request holds a value that cannot be stored, such as a control character in a text.",
    UnicodeEncodeError: "The request holds a text that is not valid Unicode.",
    Exception: "Something went wrong on our side. It has been noted with the id in X-Request-Id.",
}
_SHOWN_DETAILS: Final = ("after", "errors", "end", "missing", "state", "budget")


def problem(
    status: int, detail: str = "", *, code: str = "", headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or HTTPStatus(status).description,
        "code": code or CODES.get(status, "error"),
        **more,
    }
    return Response(json.dumps(body), status, headers=headers, media_type=MEDIA_TYPE)


def _closest[V](table: Mapping[type[Exception], V], exc: Exception) -> V | None:
    return next((table[cls] for cls in type(exc).__mro__ if cls in table), None)


def answer(exc: Exception) -> Response:
    """For whatever a route raised. Nothing of an unknown exception goes out."""
    status = _closest(STATUS, exc) or 500
    headers = _headers(exc, status)
    if isinstance(exc, domain.OrchestrationError) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        shown = {name: exc.details[name] for name in _SHOWN_DETAILS if name in exc.details}
        return problem(status, str(exc), code=exc.code, headers=headers, **shown)
    if isinstance(exc, domain.EngineUnavailable | domain.StorageFull | domain.SigningKeyRevoked):
        return problem(status, str(exc), code=exc.code, headers=headers)
    if isinstance(exc, NotAuthenticated | TooManyTries | FormInsteadOfFile | Busy):
        return problem(status, str(exc) or (type(exc).__doc__ or ""), headers=headers)
    code = exc.code if isinstance(exc, domain.StorageUnavailable | domain.StorageRejected) else ""
    return problem(status, _closest(SENTENCES, exc) or "", code=code, headers=headers)


def _headers(exc: Exception, status: int) -> dict[str, str]:
    if isinstance(exc, TooManyTries):
        return {"retry-after": str(exc.retry_after_s)}
    if status == HTTPStatus.SERVICE_UNAVAILABLE or isinstance(exc, domain.PartBusy | domain.TooManyOpenUploads):
        return {"retry-after": str(RETRY_AFTER_S)}
    if isinstance(exc, domain.SendDirectly):
        return {"link": '</api/v1/uploads>; rel="alternate"'}
    if status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": 'Bearer realm="esteira"'}
    return {}


async def _answer(_request: Request, exc: Exception) -> Response:
    return answer(exc)


async def _http(request: Request, exc: Exception) -> Response:
    """What Starlette itself refuses: unknown path, wrong method."""
    if not isinstance(exc, HTTPException):
        raise TypeError(type(exc))
    detail = "" if exc.detail == HTTPStatus(exc.status_code).phrase else exc.detail
    headers = exc.headers
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"allow": allowed(request.app, request.scope["path"])}
    return problem(exc.status_code, detail, headers=headers)


async def _validation(_request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestValidationError):
        raise TypeError(type(exc))
    return misfit(exc)


def misfit(exc: RequestValidationError) -> Response:
    """Where and what, without the value: it may be a secret that went into the wrong field."""
    errors = [{"loc": [_plain(part) for part in e["loc"]], "msg": e["msg"]} for e in _first(exc.errors())]
    said = (f"{'.'.join(str(part) for part in e['loc'][1:]) or 'body'} ({e['msg']})" for e in errors[:5])
    return problem(422, f"The request does not fit: {', '.join(said)}.", errors=errors)


async def _left(_request: Request, _exc: Exception) -> Response:
    """Nobody reads this; the number is for the log."""
    return Response(status_code=CLIENT_LEFT)


def _first(errors: Sequence[Any], most: int = 50) -> Sequence[Any]:
    return errors[:most]


def _plain(part: Any) -> str | int:
    return part if isinstance(part, int) else str(part)[:100]


def install(app: FastAPI) -> None:
    for cls in STATUS:
        app.add_exception_handler(cls, _answer)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _left)
    # Answers in our form; Starlette raises the exception on, and the outermost stack logs it once.
    app.add_exception_handler(Exception, _answer)
