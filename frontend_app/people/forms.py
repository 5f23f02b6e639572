"""What differs from the forms of django-allauth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.forms import ResetPasswordForm

from orchestration.services.letters import ask_for_reset

if TYPE_CHECKING:
    from django.http import HttpRequest


class ResetByMail(ResetPasswordForm):
    """Asks no table who has the address: the answer would take longer for those that are somebody's."""

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **_: Any) -> str:  # noqa: ARG002  allauth's signature
        address = str(self.cleaned_data["email"])
        ask_for_reset(address=address)
        return address
