"""What differs from the forms of django-allauth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.forms import ResetPasswordForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from orchestration.models import Letter
from orchestration.services.letters import ask_for_reset

if TYPE_CHECKING:
    from django.http import HttpRequest


class ResetByMail(ResetPasswordForm):
    """Asks no table who has the address: the answer would take longer for those that are somebody's."""

    def clean_email(self) -> str:
        address = str(self.cleaned_data["email"])
        # Longer ones are well-formed too, and no account's: no column has room for them.
        if len(address) > (Letter._meta.get_field("address").max_length or 0):  # noqa: SLF001  Django's public API
            raise ValidationError(_("That mail address is too long."))
        return address

    def save(self, request: HttpRequest, **_more: Any) -> str:  # noqa: ARG002  allauth's signature
        address = str(self.cleaned_data["email"])
        ask_for_reset(address=address)
        return address
