"""People who sign in elsewhere: whom they are here, and who may come in for the first time."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any, cast

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.db import transaction
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orchestration.models import User
from orchestration.services.members import join_by_rule

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialAccount, SocialLogin
    from django.http import HttpRequest

log = logging.getLogger(__name__)


class ElsewhereAdapter(DefaultSocialAccountAdapter):
    """An account there is an account here by issuer and subject, and by nothing else: addresses change hands."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        claims = sociallogin.account.extra_data.get("id_token", {})
        asked = str(sociallogin.state.get("nonce", ""))
        if not asked or not secrets.compare_digest(asked, str(claims.get("nonce", ""))):
            raise ImmediateHttpResponse(
                _refused(request, gettext("The answer was not for this browser. Begin once more."))
            )
        if sociallogin.is_existing or sociallogin.state.get("process") == "connect":
            return
        address = str(claims.get("email") or "") if claims.get("email_verified") is True else ""
        if address and User.objects.filter(email__iexact=address).exists():
            raise ImmediateHttpResponse(_refused(request, str(TAKEN)))
        # What the provider does not vouch for is not noted; and none of it makes allauth write to somebody.
        cast("User", sociallogin.user).email = address.casefold()
        sociallogin.email_addresses = []

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002  allauth's
        rule = sociallogin.provider.app.settings
        domain = cast("User", sociallogin.user).email.rpartition("@")[2]
        return bool(rule["workspace"]) and (not rule["domains"] or domain in rule["domains"])

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        rule = sociallogin.provider.app.settings
        join_by_rule(user=user, workspace=rule["workspace"], role=rule["role"])
        return user

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:  # noqa: ARG002  allauth's
        return "/account/"

    def validate_disconnect(self, account: SocialAccount, accounts: Any) -> None:
        """Also of one that was taken from the settings since: whoever cannot sign in there must be able to let go."""
        super().validate_disconnect(account, accounts)
        try:
            account.get_provider()
        except SocialApp.DoesNotExist:
            gone = SocialApp(provider=OpenIDConnectProvider.id, provider_id=account.provider, name=account.provider)
            account._provider = OpenIDConnectProvider(request=None, app=gone)  # noqa: SLF001  where allauth keeps it

    def on_authentication_error(
        self,
        request: HttpRequest,  # noqa: ARG002  the same
        provider: Any,
        error: Any = None,  # noqa: ARG002  the same
        exception: Any = None,
        extra_context: Any = None,  # noqa: ARG002  the same
    ) -> None:
        said = str(exception) if isinstance(exception, OAuth2Error) else repr(exception)
        log.warning("sign-in elsewhere failed", extra={"provider": provider.sub_id, "error": said[:500]})


TAKEN = _(
    "There is an account here with your mail address. Sign in to it with its password, and connect the two under "
    "Your account: an address alone is no proof that both are yours."
)


def _refused(request: HttpRequest, why: str) -> Any:
    return render(request, "socialaccount/authentication_error.html", {"why": why}, status=403)
