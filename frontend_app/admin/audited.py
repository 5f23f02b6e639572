"""Rows that administrators edit by hand: what they change stands in the audit log, in the transaction of the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import PROTECT, ForeignObjectRel
from django.forms.models import model_to_dict
from django.utils.text import capfirst

from orchestration.models import Membership, User, Workspace
from orchestration.models.audit import write_audit
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from django.db.models import Model
    from django.forms import BaseModelFormSet, ModelForm
    from django.http import HttpRequest

_CREATED: Final = {
    User: AuditAction.ACCOUNT_CREATED,
    Group: AuditAction.GROUP_CREATED,
    Workspace: AuditAction.WORKSPACE_CREATED,
}
_CHANGED: Final = {
    User: AuditAction.ACCOUNT_CHANGED,
    Group: AuditAction.GROUP_CHANGED,
    Workspace: AuditAction.WORKSPACE_CHANGED,
}
_DELETED: Final = {
    User: AuditAction.ACCOUNT_DELETED,
    Group: AuditAction.GROUP_DELETED,
    Workspace: AuditAction.WORKSPACE_DELETED,
}
_SECRET: Final = frozenset({"password", "password1", "password2", "usable_password"})


class AuditedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no [M] at run time
    """Of users, groups and workspaces, and of who is in them. Django's admin saves in one transaction."""

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:  # noqa: FBT001  Django's
        super().save_model(request, obj, form, change)
        fields = [name for name in form.changed_data if name in form.fields and name not in _SECRET]
        after = {name: _said(form.cleaned_data.get(name)) for name in fields}
        if not change:
            self._write(request, _CREATED, obj, after=after)
        elif form.changed_data:
            before = {name: _said(form.get_initial_for_field(form.fields[name], name)) for name in fields}
            self._write(request, _CHANGED, obj, before=before, after=after)

    def save_formset(self, request: HttpRequest, form: Any, formset: BaseModelFormSet[Any, Any], change: bool) -> None:  # noqa: FBT001  Django's
        kept = {row.pk: row.role for row in formset.get_queryset()}
        super().save_formset(request, form, formset, change)
        for row in formset.new_objects:
            _member(request, AuditAction.MEMBER_ADDED, row, after={"role": row.role})
        for row, _ in formset.changed_objects:
            _member(request, AuditAction.MEMBER_CHANGED, row, before={"role": kept[row.pk]}, after={"role": row.role})
        for row in formset.deleted_objects:
            _member(request, AuditAction.MEMBER_REMOVED, row, before={"role": row.role})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Django's own lists every row that forbids it, of which there may be ten million."""
        if kept := _kept(self.model, objs):
            return [], {}, set(), kept
        return super().get_deleted_objects(objs, request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._write(request, _DELETED, obj, before=model_to_dict(obj, exclude=["password"]))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def _write(self, request: HttpRequest, words: dict[Any, AuditAction], obj: Any, **said: Any) -> None:
        workspace = obj if isinstance(obj, Workspace) else None
        write_audit(words[self.model], by=by(request), workspace=workspace, about=obj, name=str(obj), **said)


def _kept(model: type[Model], objs: Any) -> list[str]:
    """What is there of them, by its name, that outlives them."""
    relations = model._meta.get_fields(include_hidden=True)  # noqa: SLF001
    kept: set[str] = set()
    for one in relations:
        if isinstance(one, ForeignObjectRel) and one.on_delete == PROTECT:
            others: Any = one.related_model
            if others._base_manager.filter(**{f"{one.field.name}__in": objs}).exists():  # noqa: SLF001
                kept.add(capfirst(others._meta.verbose_name_plural))  # noqa: SLF001
    return sorted(kept)


def _member(request: HttpRequest, action: AuditAction, row: Membership, **said: Any) -> None:
    write_audit(action, by=by(request), workspace=row.workspace, about=row.user, name=row.user.username, **said)


def by(request: HttpRequest) -> User:
    return cast("User", request.user)


def _said(value: Any) -> Any:
    if hasattr(value, "values_list"):
        return [str(one) for one in value]
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return value
