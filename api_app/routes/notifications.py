"""What you are told, and how you want to be told (docs/people.md)."""

from typing import Annotated
from uuid import UUID

from django.conf import settings
from fastapi import APIRouter, Query
from starlette.requests import Request

from api_app.auth import ask
from api_app.paging import Cursor, Limit, page
from api_app.people_schemas import (
    NotificationChoiceOut,
    NotificationOut,
    NotificationPatch,
    NotificationSettingsOut,
    NotificationSettingsPatch,
    ReadNotificationsIn,
    ReadNotificationsOut,
)
from api_app.schemas import Listing, Slug
from orchestration.models import Notification, User, Workspace
from orchestration.notification_words import say
from orchestration.services import notifications
from orchestration.services.access import find_workspace
from orchestration.services.notifications import Setting
from orchestration.states import NotificationKind

router = APIRouter(tags=["notifications"])


@router.get("/notifications")
async def list_notifications(
    request: Request,
    workspace: Annotated[Slug, Query()] = "",
    unread: Annotated[bool, Query()] = False,  # noqa: FBT002  a query parameter
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[NotificationOut]:
    """Newest first, of all your workspaces or of one."""

    def work(user: User) -> Listing[NotificationOut]:
        rows = Notification.objects.visible_to(user).select_related("workspace")
        if workspace:
            rows = rows.filter(workspace=find_workspace(user=user, slug=workspace))
        found = page(rows.unread() if unread else rows, limit=limit, cursor=cursor)
        return Listing(items=[_out(one) for one in found.rows], next_cursor=found.next_cursor)

    return await ask(request, work)


@router.patch("/notifications/{notification_id}")
async def edit_notification(request: Request, notification_id: UUID, body: NotificationPatch) -> NotificationOut:
    """`{"read": true}` or false. What comes after it was read is a new one."""
    return await ask(
        request,
        lambda user: _out(notifications.mark(user=user, notification_id=notification_id, is_read=body.read)),
    )


@router.post("/notifications:read")
async def read_notifications(request: Request, body: ReadNotificationsIn) -> ReadNotificationsOut:
    """All that are unread, of all your workspaces or of one."""

    def work(user: User) -> ReadNotificationsOut:
        here = find_workspace(user=user, slug=body.workspace) if body.workspace else None
        return ReadNotificationsOut(marked=notifications.mark_all_read(user=user, workspace=here)[0])

    return await ask(request, work)


@router.get("/workspaces/{slug}/notification-settings")
async def show_notification_settings(request: Request, slug: Slug) -> NotificationSettingsOut:
    """Yours, in this workspace."""

    def work(user: User) -> NotificationSettingsOut:
        here = find_workspace(user=user, slug=slug)
        return _settings(user, here, notifications.settings_of(user=user, workspace=here))

    return await ask(request, work)


@router.patch("/workspaces/{slug}/notification-settings")
async def edit_notification_settings(
    request: Request, slug: Slug, body: NotificationSettingsPatch
) -> NotificationSettingsOut:
    """What is not named stays as it is. It holds from now on."""

    def work(user: User) -> NotificationSettingsOut:
        here = find_workspace(user=user, slug=slug)
        changes: dict[str, tuple[bool, str]] = {one.kind: (one.in_app, one.mail) for one in body.choices}
        made = notifications.choose(user=user, workspace=here, changes=changes, digest_hour=body.digest_hour)
        return _settings(user, here, made)

    return await ask(request, work)


def _settings(user: User, here: Workspace, rows: list[Setting]) -> NotificationSettingsOut:
    choices = [
        NotificationChoiceOut(kind=one.kind, in_app=one.in_app, mail=one.mail, is_chosen=one.is_chosen) for one in rows
    ]
    return NotificationSettingsOut(workspace=here.slug, choices=choices, digest_hour=user.digest_hour)


def _out(row: Notification) -> NotificationOut:
    said = say(row.kind, row.count, row.data, workspace=row.workspace.slug)
    return NotificationOut(
        id=row.pk,
        kind=NotificationKind(row.kind),
        workspace=row.workspace.slug,
        count=row.count,
        title=said.title,
        detail=said.detail,
        url=f"{settings.PUBLIC_URL}{said.path}",
        data=row.data,
        read_at=row.read_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
