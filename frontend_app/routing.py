from typing import Any

from django.urls import path

from frontend_app.consumers import HomeWatcher, JobWatcher, PersonWatcher, WorkspaceWatcher

# ASGI apps, for channels' router alone; Django's own types know only views.
_job: Any = JobWatcher.as_asgi()
_workspace: Any = WorkspaceWatcher.as_asgi()
_home: Any = HomeWatcher.as_asgi()
_person: Any = PersonWatcher.as_asgi()
websocket_urlpatterns: list[Any] = [
    path("ws/jobs/<uuid:job_id>", _job),
    path("ws/workspaces/<slug:slug>", _workspace),
    path("ws/workspaces/<slug:slug>/home", _home),
    path("ws/me", _person),
]
