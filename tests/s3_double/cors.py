"""What a browser asks first, and the headers without which it does not show an answer to a page."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.s3_double import documents
from tests.s3_double.errors import Refused
from tests.s3_double.requests import Reply

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from tests.s3_double.requests import Request
    from tests.s3_double.store import Store


def preflight(store: Store, request: Request) -> Reply:
    method = request.header("access-control-request-method")
    asked = [
        name.strip().lower() for name in request.header("access-control-request-headers").split(",") if name.strip()
    ]
    if not request.header("origin") or not method:
        raise Refused("InvalidRequest", "Insufficient information. Origin request header needed.")
    rule = _rule(store, request, method, asked)
    if rule is None:
        raise Refused("AccessDenied", "CORSResponse: This CORS request is not allowed.")
    headers = _allowed(rule, request) | {"Access-Control-Allow-Headers": ", ".join(asked)}
    if rule.findtext("MaxAgeSeconds"):
        headers["Access-Control-Max-Age"] = rule.findtext("MaxAgeSeconds", "")
    return Reply(200, headers)


def answer_headers(store: Store, request: Request) -> dict[str, str]:
    rule = _rule(store, request, request.method, []) if request.header("origin") else None
    return {} if rule is None else _allowed(rule, request)


def _rule(store: Store, request: Request, method: str, asked: list[str]) -> Element | None:
    bucket = store.buckets.get(request.bucket)
    body = bucket.documents.get("cors") if bucket else None
    for rule in documents.read(body).findall("CORSRule") if body else []:
        allowed = [text.lower() for text in _texts(rule, "AllowedHeader")]
        if (
            method in _texts(rule, "AllowedMethod")
            and any(fnmatchcase(request.header("origin"), origin) for origin in _texts(rule, "AllowedOrigin"))
            and all(any(fnmatchcase(name, pattern) for pattern in allowed) for name in asked)
        ):
            return rule
    return None


def _texts(rule: Element, name: str) -> list[str]:
    return [element.text or "" for element in rule.findall(name)]


def _allowed(rule: Element, request: Request) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Origin": "*" if _texts(rule, "AllowedOrigin") == ["*"] else request.header("origin"),
        "Access-Control-Allow-Methods": ", ".join(_texts(rule, "AllowedMethod")),
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    if exposed := _texts(rule, "ExposeHeader"):
        headers["Access-Control-Expose-Headers"] = ", ".join(exposed)
    return headers
