"""Celery app and beat schedule. Every message is a nudge that may be lost: each task also comes by the clock."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("esteira")
app.conf.update(settings.CELERY)
app.conf.beat_schedule = {
    "dispatch": {"task": "esteira.dispatch", "schedule": 2.0},
    "reconcile": {"task": "esteira.reconcile", "schedule": 30.0},
    "expire files": {"task": "esteira.expire_files", "schedule": 600.0},
    "sweep storage": {"task": "esteira.sweep_storage", "schedule": 3_600.0},
}
app.autodiscover_tasks(["orchestration"])
