from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _

from frontend_app.admin.audited import by
from frontend_app.admin.read_only import ReadOnlyAdmin
from orchestration.models import WebhookEndpoint
from orchestration.services.webhooks import edit_webhook

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(WebhookEndpoint)
class WebhookAdmin(ReadOnlyAdmin):
    """Of an address the host alone: what follows is often a secret, which is its managers' and not ours."""

    list_display = ["host", "workspace", "description", "is_on", "failures", "failing_since", "disabled_why"]
    list_select_related = ["workspace"]
    search_fields = ["workspace__slug", "description"]
    exclude = ["url"]
    readonly_fields = ["host"]
    ordering = ["-id"]
    actions = ["switch_off"]

    @admin.display(description=_("Host"))
    def host(self, webhook: WebhookEndpoint) -> str:
        return str(webhook)

    @admin.display(description=_("On"), boolean=True)
    def is_on(self, webhook: WebhookEndpoint) -> bool:
        return webhook.is_enabled

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orchestration.change_webhookendpoint")

    @admin.action(description=_("Switch selected webhooks off"), permissions=["operate"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for webhook in queryset.select_related("workspace"):
            edit_webhook(user=by(request), endpoint=webhook, changes={"enabled": False})
            self.message_user(request, _("%s: off.") % webhook, messages.SUCCESS)
