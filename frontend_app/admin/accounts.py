from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from frontend_app.admin.audited import AuditedAdmin, by
from frontend_app.admin.long_list import LongListAdmin
from frontend_app.admin.read_only import ReadOnlyAdmin, SaidValues
from orchestration.errors import OrchestrationError
from orchestration.models import ApiToken, Membership, Notification, User, Workspace
from orchestration.models.audit import write_audit
from orchestration.services.mail import address_changed, choose
from orchestration.services.second_factor import remove_second_factors
from orchestration.services.tokens import revoke
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest, HttpResponse


class MembershipOfUser(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ["workspace"]


class MembershipOfWorkspace(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta(AdminUserCreationForm.Meta):
        model = User


class ChangedUserForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta(UserChangeForm.Meta):
        model = User


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    form = ChangedUserForm
    add_form = NewUserForm
    inlines = [MembershipOfUser]
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Mail", {"fields": ["mail_on", "mail_problem"]}))
    readonly_fields = ["mail_problem"]
    actions = ["remove_factors"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    @admin.action(description=_("Remove second factors of selected users"), permissions=["operate"])
    def remove_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For people who have lost theirs: until they set up new ones, their password is enough."""
        for user in queryset:
            removed = remove_second_factors(by=cast("User", request.user), user=user)
            self.message_user(request, f"{user}: {removed} removed.", messages.SUCCESS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A service account given a password would be refused by the database; its workspace's managers change it.
        return super().has_change_permission(request, obj) and (obj is None or obj.service_of_id is None)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002  Django's
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if response.status_code == HTTPStatus.FOUND:
                user = User.objects.get(pk=id)
                write_audit(AuditAction.PASSWORD_CHANGED, by=by(request), about=user, name=user.username)
        return response

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[Any], change: bool) -> None:  # noqa: FBT001  Django's
        if change and "mail_on" in form.changed_data:
            choose(user=obj, mail_on=obj.mail_on)
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            address_changed(user=obj)


# Django's own says nothing to the audit log.
admin.site.unregister(Group)


@admin.register(Group)
class GroupOfPeopleAdmin(AuditedAdmin, GroupAdmin):
    """What it may, all who are in it may."""


@admin.register(Workspace)
class WorkspaceAdmin(AuditedAdmin):
    list_display = [
        "slug",
        "name",
        "quota_bytes",
        "budget_usd",
        "budget_mode",
        "upload_retention_days",
        "result_retention_days",
        "needs_second_factor",
        "created_at",
    ]
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    readonly_fields = ["created_at"]
    inlines = [MembershipOfWorkspace]


@admin.register(Notification)
class NotificationAdmin(LongListAdmin):
    list_display = ["kind", "user", "workspace", "count", "is_shown", "mail", "mailed_count", "read_at", "changed_at"]
    list_filter = ["kind", "mail"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__username", "workspace__slug"]

    def reads_on(self, query: str, params: dict[str, Any]) -> bool:
        return bool(query.strip() or params)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "user",
        "workspace",
        "public_id",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_ip",
        "revoked_at",
        "revoked_why",
    ]
    list_filter = ["revoked_at", ("revoked_why", SaidValues)]
    list_select_related = ["user", "workspace"]
    search_fields = ["name", "user__username", "public_id"]
    exclude = ["secret_hash"]
    ordering = ["-id"]
    actions = ["revoke_tokens"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orchestration.change_apitoken")

    @admin.action(description=_("Revoke selected tokens"), permissions=["operate"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.select_related("user"):
            try:
                revoke(user=token.user, token_id=token.pk, by=by(request))
            except OrchestrationError:
                self.message_user(request, f"{token}: was revoked before.", messages.WARNING)
            else:
                self.message_user(request, f"{token}: revoked.", messages.SUCCESS)
