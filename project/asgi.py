"""The one door: the outermost stack around Django, FastAPI and Channels."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup(set_prefix=False)  # everything below needs it

from channels.routing import URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from channels.sessions import SessionMiddlewareStack  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402

from api_app.main import app as api  # noqa: E402
from frontend_app.routing import websocket_urlpatterns  # noqa: E402
from orchestration.follow import Follower, hub  # noqa: E402
from project.stack.content import ContentOnly  # noqa: E402
from project.stack.headers import SecurityHeaders  # noqa: E402
from project.stack.hosts import AllowedHosts, TrustedProxies  # noqa: E402
from project.stack.lifespan import Lifespan, database_pools, following  # noqa: E402
from project.stack.limits import Limits  # noqa: E402
from project.stack.pages import Pages  # noqa: E402
from project.stack.request_log import RequestLog, bind_log_records  # noqa: E402
from project.stack.routing import Router, Static  # noqa: E402
from project.telemetry.http import learn_routes  # noqa: E402
from project.telemetry.serving import metrics_served  # noqa: E402

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from starlette.types import ASGIApp

    from project.apps import ProjectConfig


def build() -> ASGIApp:
    """From the inside out. Each layer is met in the opposite order by a request."""
    bind_log_records()
    learn_routes(api.router.routes)
    routes: Any = websocket_urlpatterns  # Channels reads Django's own patterns
    app: ASGIApp = Router(
        api=api,
        sockets=cast("ASGIApp", AllowedHostsOriginValidator(SessionMiddlewareStack(URLRouter(routes)))),
        static=Static(settings.STATIC_URL, settings.STATIC_ROOT),
        pages=cast("ASGIApp", Pages()),
        static_url=settings.STATIC_URL,
    )
    app = Lifespan(app, [metrics_served, database_pools, partial(api.router.lifespan_context, api), _follow])
    app = ContentOnly(app, settings.CONTENT_ORIGIN)
    app = TrustedProxies(app, settings.TRUSTED_PROXIES)
    app = AllowedHosts(app, settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)
    app = Limits(app, settings.MAX_UPLOAD_BYTES)
    app = RequestLog(app, cast("ProjectConfig", apps.get_app_config("project")).traces)
    # Outside of whatever may refuse or fail: every answer carries them.
    return SecurityHeaders(app)


def _follow() -> AbstractAsyncContextManager[None]:
    return following(Follower(settings.DATABASE_URL, hub), hub)


application = build()
