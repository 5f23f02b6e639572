"""What both doors say of themselves (GA4GH's service-info)."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from pydantic import BaseModel

WES_VERSION: Final = "1.1.0"
TES_VERSION: Final = "1.1.0"


class ServiceType(BaseModel):
    group: str = "org.ga4gh"
    artifact: str
    version: str


class Organization(BaseModel):
    name: str
    url: str


class Service(BaseModel):
    id: str
    name: str
    type: ServiceType
    description: str
    organization: Organization
    documentationUrl: str  # noqa: N815  # as GA4GH spells it
    version: str


def service_fields(artifact: str, of_standard: str) -> dict[str, Any]:
    """`organization` is whoever runs this installation, known by its address alone."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    turned = ".".join(reversed(host.split("."))) if not host.replace(".", "").isdigit() else host
    return {
        "id": f"{turned}.esteira.{artifact}",
        "name": "Esteira",
        "type": ServiceType(artifact=artifact, version=of_standard),
        "description": "Files go in, versioned pipelines run over them, results come out.",
        "organization": Organization(name=host, url=settings.PUBLIC_URL),
        "documentationUrl": f"{settings.PUBLIC_URL}/docs/api/",
        "version": our_version(),
    }


@cache
def our_version() -> str:
    return version("esteira")
