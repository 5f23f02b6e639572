"""OpenID Connect, stricter than django-allauth has it (SEC-031).

Also of an ID token that came straight from the provider the signature is checked, by algorithms that we name and keys
that its issuer shows; the nonce binds it to this browser; what the user-info address says must be of the same subject.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

import jwt
import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView, OAuth2View
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialLogin, SocialToken
    from django.http import HttpRequest, HttpResponse

ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"})
"""No `none`, and none that is made with a secret which both sides have."""
CLAIMS: Final = ("iss", "sub", "aud", "exp", "iat")
ADDRESSES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
LEEWAY_S: Final = 30
MOST_LETTERS: Final = 191
"""Of `SocialAccount.uid`."""


class StrictAdapter(OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self) -> dict[str, Any]:
        """Raises OAuth2Error when it is somebody else's, or not all of it."""
        config: dict[str, Any] = super().openid_config
        issuer = self.get_provider().app.settings["server_url"]
        if str(config.get("issuer", "")).rstrip("/") != issuer:
            raise OAuth2Error(f"{issuer} calls itself {config.get('issuer')!r}.")
        if missing := [name for name in ADDRESSES if not isinstance(config.get(name), str)]:
            raise OAuth2Error(f"{issuer} does not say its {', '.join(missing)}.")
        return config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:  # noqa: ARG002  allauth's signature
        # Never of the Host header: codes go there.
        path = reverse("openid_connect_callback", kwargs={"provider_id": self.provider_id})
        return f"{settings.PUBLIC_URL}{path}"

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        id_token = kwargs["response"].get("id_token")
        if not isinstance(id_token, str):
            raise OAuth2Error("The provider sent no ID token.")
        claims = self._decode_id_token(app, id_token)
        if "userinfo_endpoint" in self.openid_config:
            more = self._fetch_user_info(token.token)
            if more.get("sub") != claims["sub"]:
                raise OAuth2Error("The provider's user-info is of somebody else.")
            claims = more | claims
        login: SocialLogin = self.get_provider().sociallogin_from_response(request, {"id_token": claims})
        return login

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(id_token)
            if header.get("alg") not in ALGORITHMS:
                raise OAuth2Error(f"The ID token is signed by {header.get('alg')!r}, which is not taken.")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=self._key(header.get("kid")),
                algorithms=[header["alg"]],
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=LEEWAY_S,
                options={"require": list(CLAIMS)},
            )
        except jwt.PyJWTError as exc:
            raise OAuth2Error(f"The ID token does not hold: {exc}") from exc
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != app.client_id:
            raise OAuth2Error("The ID token was made for another program.")
        return claims

    def _key(self, kid: str | None) -> jwt.PyJWK:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        fitting = [key for key in keys if kid is None or key.key_id == kid]
        if len(fitting) != 1:
            raise OAuth2Error(f"The provider shows no key {kid!r}.")
        return fitting[0]


class StrictProvider(OpenIDConnectProvider):
    oauth2_adapter_class = StrictAdapter

    def extract_uid(self, data: dict[str, Any]) -> str:
        """A subject has up to 255 letters, and allauth's column fewer."""
        subject: str = super().extract_uid(data)
        if len(subject) <= MOST_LETTERS:
            return subject
        return f"sha256:{hashlib.sha256(subject.encode()).hexdigest()}"

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Scopes and parameters are the settings' alone: no link asks for more. The nonce waits in the state."""
        kwargs: dict[str, Any] = super().get_redirect_from_request_kwargs(request)
        nonce = secrets.token_urlsafe(24)
        return kwargs | {
            "scope": self.get_scope(),
            "auth_params": self.get_auth_params() | {"nonce": nonce},
            "nonce": nonce,
        }


@login_not_required
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _answered(OAuth2LoginView, request, provider_id)


@login_not_required
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Not allauth's own, which would take its own adapter, and with it an ID token without a look at its signature."""
    return _answered(OAuth2CallbackView, request, provider_id)


def _answered(kind: type[OAuth2View], request: HttpRequest, provider_id: str) -> HttpResponse:
    adapter = StrictAdapter(request, provider_id)
    try:
        answer: HttpResponse = kind.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist as exc:
        raise Http404(_("There is no such provider here.")) from exc
    except (requests.RequestException, OAuth2Error) as exc:
        # Of what the provider says of itself; of its other answers the views catch it.
        answer = render_authentication_error(request, adapter.get_provider(), exception=exc)
    return answer
