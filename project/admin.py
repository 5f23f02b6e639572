"""Found by Django's `autodiscover`: the page about the machinery, among the admin's."""

from typing import Any

from django.contrib import admin
from django.urls import path

from project.system.page import system

_pages = admin.site.get_urls


def _with_system() -> list[Any]:
    return [path("system/", admin.site.admin_view(system), name="system"), *_pages()]


admin.site.get_urls = _with_system  # type: ignore[method-assign]
