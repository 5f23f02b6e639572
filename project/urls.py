from django.contrib import admin
from django.urls import include, path

from project import health

admin.autodiscover()

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("admin/", admin.site.urls),
    path("", include("frontend_app.urls")),
]
