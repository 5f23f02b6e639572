from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

from frontend_app.admin.read_only import ReadOnlyAdmin, SaidValues
from orchestration.errors import OrchestrationError
from orchestration.models import ApiToken, Membership, User, Workspace
from orchestration.services.mail import address_changed, choose
from orchestration.services.second_factor import remove_second_factors
from orchestration.services.tokens import revoke

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import Form
    from django.http import HttpRequest


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
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    form = ChangedUserForm
    add_form = NewUserForm
    inlines = [MembershipOfUser]
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Mail", {"fields": ["mail_on", "mail_problem"]}))
    readonly_fields = ["mail_problem"]
    actions = ["remove_factors"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    @admin.action(description="Remove second factors of selected users", permissions=["operate"])
    def remove_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For people who have lost theirs: until they set up new ones, their password is enough."""
        for user in queryset:
            removed = remove_second_factors(by=cast("User", request.user), user=user)
            self.message_user(request, f"{user}: {removed} removed.", messages.SUCCESS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # A service account given a password would be refused by the database; its workspace's managers change it.
        return super().has_change_permission(request, obj) and (obj is None or obj.service_of_id is None)

    def save_model(self, request: HttpRequest, obj: User, form: Form, change: bool) -> None:  # noqa: FBT001  Django's
        if change and "mail_on" in form.changed_data:
            choose(user=obj, mail_on=obj.mail_on)
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            address_changed(user=obj)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
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

    @admin.action(description="Revoke selected tokens", permissions=["operate"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.select_related("user"):
            try:
                revoke(user=token.user, token_id=token.pk)
            except OrchestrationError:
                self.message_user(request, f"{token}: was revoked before.", messages.WARNING)
            else:
                self.message_user(request, f"{token}: revoked.", messages.SUCCESS)
