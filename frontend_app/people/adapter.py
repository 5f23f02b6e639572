"""Where django-allauth asks how we do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Never

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.httpkit import get_client_ip
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from frontend_app.people import brakes
from frontend_app.people.backend import people_of
from orchestration.services.letters import notify

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from orchestration.models import User

MISMATCH: Final = _("That user name and password do not fit. Mind upper and lower case.")


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        # The same for an account that there is not: who guesses names learns nothing (SEC-023).
        "username_password_mismatch": MISMATCH,
        "email_password_mismatch": MISMATCH,
        "too_many_login_attempts": _("Too many wrong passwords. Wait ten minutes, or ask for a new password."),
        "incorrect_password": _("That is not your password."),
        "invalid_username": _("A user name has no @: with it are mail addresses and service accounts."),
        "enter_current_password": _("That is not your password."),
    }

    def get_client_ip(self, request: HttpRequest) -> str:
        # A Unix socket has no address: whoever is at its other end runs on this machine.
        return get_client_ip(request) or "127.0.0.1"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        typed = str(credentials.get("email") or credentials.get("username", ""))
        # By name and by address it is one account, and has one count.
        accounts = {one.username.casefold() for one in people_of(typed)} or {typed.casefold()}
        self._counted = brakes.consume(request, sorted(accounts), self.get_client_ip(request))
        if self._counted is None:
            raise self.validation_error("too_many_login_attempts")

    def _rollback_login_failed_rl_usage(self) -> None:
        # Called when the password was right. Right ones in between must not begin the count of wrong ones anew.
        for usage in self._counted or ():
            usage.rollback()

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:  # type: ignore[override]
        response = super().post_login(request, user, **more)
        brakes.remember(response, user)
        return response

    def clean_username(self, username: str, shallow: bool = False) -> str:  # noqa: FBT001, FBT002  allauth's signature
        # Of a provider's word for somebody: taken as it is, she could be called as a service account or by an address.
        if "@" in username:
            raise self.validation_error("invalid_username")
        return super().clean_username(username, shallow)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002  allauth's signature
        return reverse("account")

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,  # type: ignore[override]
        context: dict[str, Any] | None = None,  # noqa: ARG002  the same
        email: str | None = None,  # noqa: ARG002  the same
    ) -> None:
        notify(user=user, about=template_prefix.rpartition("/")[2])

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> Never:
        # It would talk to the mail server while somebody's page waits, and tell by the time it takes who exists.
        raise NotImplementedError(f"{template_prefix}: write a letter (orchestration.services.letters) instead.")
