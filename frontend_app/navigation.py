"""Which entry of the bar is lit on which page: pages that are not named here light the entry of their own name."""

from __future__ import annotations

from typing import Final

SECTIONS: Final = {
    "job-detail": "job-list",
    "attempt-detail": "job-list",
    "job-share": "job-list",
    "bulk-preview": "job-list",
    "bulk-detail": "job-list",
    "file-detail": "file-list",
    "file-deleted": "file-list",
    "usage": "file-list",
    "pipeline-detail": "pipeline-list",
    "pipeline-compare": "pipeline-list",
    "member-list": "settings",
    "webhook-list": "settings",
    "webhook-detail": "settings",
    "webhook-rotate": "settings",
    "webhook-edit": "settings",
    "delivery-detail": "settings",
    "token-list": "settings",
    "token-rotate": "settings",
    "service-account-list": "settings",
    "service-account": "settings",
    "audit-log": "settings",
    "notifications-settings": "notifications",
}


def lit(at: str, entry: str) -> str:
    """For `aria-current`: "page" on the entry's own page, "true" on those below it, else ""."""
    if at == entry:
        return "page"
    return "true" if SECTIONS.get(at) == entry else ""
