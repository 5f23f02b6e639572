"""Calls of the contract: notifications. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, new_key, segment

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def edit_notification(
    notification_id: str, body: shapes.NotificationPatch, *, key: str | None = None
) -> Call[shapes.Notification]:
    """`{"read": true}` or false. What comes after it was read is a new one."""
    return Call("PATCH", f"/notifications/{segment(notification_id)}", key=key or new_key(), body=body)


def edit_notification_settings(
    slug: str, body: shapes.NotificationSettingsPatch, *, key: str | None = None
) -> Call[shapes.NotificationSettings]:
    """What is not named stays as it is. It holds from now on."""
    return Call("PATCH", f"/workspaces/{segment(slug)}/notification-settings", key=key or new_key(), body=body)


def list_notifications(
    *, workspace: str | None = None, unread: bool | None = None, limit: int | None = None, cursor: str | None = None
) -> Listing[shapes.Notification]:
    """Newest first, of all your workspaces or of one."""
    return Listing(
        "GET", "/notifications", query={"workspace": workspace, "unread": unread, "limit": limit, "cursor": cursor}
    )


def read_notifications(body: shapes.ReadNotificationsIn, *, key: str | None = None) -> Call[shapes.ReadNotifications]:
    """All that are unread, of all your workspaces or of one."""
    return Call("POST", "/notifications:read", key=key or new_key(), body=body)


def show_notification_settings(slug: str) -> Call[shapes.NotificationSettings]:
    """Yours, in this workspace."""
    return Call("GET", f"/workspaces/{segment(slug)}/notification-settings")
