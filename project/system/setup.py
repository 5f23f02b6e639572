"""How this process is set up: versions, and settings without anything that could be a secret."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from django.conf import settings
from django.db import connection

from project import env
from project.doctor.address import Address

PACKAGES: Final = (
    "esteira", "django", "fastapi", "starlette", "channels", "celery", "psycopg", "uvicorn", "boto3",
    "django-storages", "django-allauth",
)  # fmt: skip
# Texts that may be shown. Any other text is only said to be set: who adds a setting need not think of this page.
OPEN_TEXTS: Final = frozenset({
    "ESTEIRA_HOST", "ESTEIRA_PUBLIC_URL", "ESTEIRA_ALLOWED_HOSTS", "ESTEIRA_CONTENT_ORIGIN", "ESTEIRA_METRICS_HOST",
    "ESTEIRA_PROCESS", "ESTEIRA_TRUSTED_ORIGINS", "ESTEIRA_TRUSTED_PROXIES", "ESTEIRA_S3_BUCKET_UPLOADS",
    "ESTEIRA_S3_BUCKET_RESULTS", "ESTEIRA_S3_PREFIX", "ESTEIRA_S3_REGION", "ESTEIRA_RUNNER_URL", "ESTEIRA_CLAMD",
    "ESTEIRA_MAIL_FROM", "ESTEIRA_STATE_MACHINE", "ESTEIRA_EVENTS_QUEUE", "ESTEIRA_PRICES", "ESTEIRA_TRACES",
    "ESTEIRA_TRACES_SAMPLED", "ESTEIRA_TRACE_URL",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """`value` None: it is not shown."""

    name: str
    value: str | None
    is_given: bool


def versions() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (server,) = cursor.fetchone()
    found = [(name, version(name)) for name in PACKAGES]
    return [found[0], ("python", platform.python_version()), ("postgresql", str(server).split()[0]), *found[1:]]


def this_process() -> dict[str, object]:
    return {"name": env.text("ESTEIRA_PROCESS", "manage"), "pid": os.getpid(), "host": platform.node()}


def last_migration() -> tuple[str, int]:
    """The latest of ours, and the number of all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(name) FILTER (WHERE app = 'orchestration'), count(*) FROM django_migrations",
        )
        (name, number) = cursor.fetchone()
    return name or "", number


def shown_settings() -> list[Setting]:
    return [Setting(name, _value(name, default), env.is_given(name)) for name, default in sorted(env.ASKED.items())]


def _value(name: str, default: str) -> str | None:
    if name == "DATABASE_URL":
        database = Address.read(settings.DATABASE_URL)
        return f"{database.name} @ {database.host}"
    if name in env.SHOWN:
        return env.SHOWN[name]
    value = env.text(name, default) if name in OPEN_TEXTS else None
    # An address may have been written with a password in it.
    return None if value is None or ("@" in value and "//" in value) else value
