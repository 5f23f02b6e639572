"""From an HTTP answer that is no success to a sentence for a tired user."""

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from api_app.client.credentials import Credentials
from api_app.client.errors import ProblemError, UnreachableError


def error_from(response: httpx.Response, login: Credentials) -> ProblemError | UnreachableError:
    problem = problem_of(response)
    if response.is_redirect:
        # Not followed: the token would travel to wherever the answer points.
        target = response.headers.get("location", "somewhere else")
        return UnreachableError(f"{login.url} points to {target}. If that is right, use it: --url {target}")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return _problem_error(response, problem, _not_accepted(login))
    if problem is None and response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
        return _not_ours(login)
    return _problem_error(response, problem, _sentence(response, problem or {}, login))


def problem_of(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except (ValueError, UnicodeDecodeError):
        return None
    return body if isinstance(body, dict) else None


def _problem_error(response: httpx.Response, problem: dict[str, Any] | None, sentence: str) -> ProblemError:
    body = problem or {}
    code = str(body.get("code") or f"http_{response.status_code}")
    errors = _field_errors(body)
    error = ProblemError(sentence, code=code, status=response.status_code, errors=errors, problem=body)
    error.retry_after_s = retry_after_s(response)
    return error


def retry_after_s(response: httpx.Response) -> float:
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return 0.0


def error_of(problem: dict[str, Any]) -> ProblemError:
    """For one of many things in a batch: it has a problem of its own and no answer of its own."""
    code, status = str(problem.get("code", "error")), int(problem.get("status", 0))
    errors = _field_errors(problem)
    return ProblemError(_told(problem), code=code, status=status, errors=errors, problem=problem)


def _told(problem: dict[str, Any]) -> str:
    return str(problem.get("detail") or problem.get("title") or "").strip()


def _not_accepted(login: Credentials) -> str:
    if not login.token:
        return f"{login.url} does not know this user and password. Check both and try again."
    mend = "Log in again: esteira login"
    if login.source.endswith("cli.json"):
        mend = (
            "Restart the platform with `esteira up`, which writes a new one, or log in: esteira login. "
            "If it runs with an ESTEIRA_HOME of its own, set that here too."
        )
    elif not login.source.endswith(".json"):
        mend = "Give another one, or leave it out and log in: esteira login"
    return f"{login.url} does not accept the token from {login.source} (expired, revoked or mistyped). {mend}"


def _sentence(response: httpx.Response, problem: dict[str, Any], login: Credentials) -> str:
    told = _told(problem)
    untold = [(where, what) for where, what in _field_errors(problem) if what not in told]
    fields = "".join(f"\n  {where}{': ' if where else ''}{what}" for where, what in untold)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        wait = response.headers.get("retry-after")
        when = f"in {wait} s" if wait and wait.isdigit() else "later"
        return told if "try again" in told.lower() else f"{told or 'Too many requests.'} Try again {when}."
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        why = f"HTTP {response.status_code}" + (f": {told.rstrip('.')}" if told else "")
        return (
            f"The platform at {login.url} failed ({why}). This is its fault, not yours; "
            f"try again later.{_request_id(response)}"
        )
    told = told or f"The platform refused (HTTP {response.status_code})."
    return told + fields


def _request_id(response: httpx.Response) -> str:
    request_id = response.headers.get("x-request-id")
    return f" When you report it, name the request {request_id}." if request_id else ""


def _field_errors(problem: dict[str, Any]) -> list[tuple[str, str]]:
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return []
    entries = [entry for entry in errors if isinstance(entry, dict)]
    return [(_place(entry.get("loc")), str(entry.get("msg", ""))) for entry in entries]


def _place(loc: object) -> str:
    parts = loc if isinstance(loc, list) else [loc]
    return ".".join(str(part) for part in parts if part not in {None, "body", "query", "path"})


def json_body(response: httpx.Response, login: Credentials) -> Any:
    try:
        return json.loads(response.content)
    except ValueError as fault:
        raise _not_ours(login) from fault


def _not_ours(login: Credentials) -> UnreachableError:
    return UnreachableError(f"What answers at {login.url} does not look like Esteira. Check the address.")
