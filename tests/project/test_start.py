"""What a process loads before it does anything: each start waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.urls import get_resolver

LOADED = "import sys; print('frontend_app.admin' in sys.modules, 'project.urls' in sys.modules)"
ENGINE = f"import django; django.setup(); import project.management.commands.local_engine; {LOADED}"
WORKER = f"import project.celery, django; django.setup(); project.celery.app.loader.init_worker(); {LOADED}"
COMMAND = (
    "from django.core.management import execute_from_command_line as run;"
    f"run(['manage.py', 'pipelines', 'check', 'orchestration/pipelines/inspect']); {LOADED}"
)


@pytest.mark.parametrize("code", [ENGINE, WORKER, COMMAND], ids=["engine", "worker", "command"])
def test_process_without_pages_loads_none(code: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; {code}",
        ],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["False False"], done.stderr


def test_admin_is_whole_once_there_are_urls() -> None:
    assert get_resolver().url_patterns
    assert run_checks(tags=["admin", "urls", "files"]) == []
