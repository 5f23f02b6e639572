"""The secret key goes, and what was encrypted with it stays readable: sealed anew under the next one."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from frontend_app.people.factors import FactorAdapter
from orchestration.errors import WebhookSecretLost
from orchestration.models import User, WebhookSecret
from orchestration.services.webhooks import create_webhook
from orchestration.webhooks.sealing import unseal

if TYPE_CHECKING:
    from pytest_django import Settings

NEXT = "the-next-key-" * 4


@pytest.fixture
def sealed(manager: User) -> str:
    """The webhook's secret, in clear."""
    _, secret = create_webhook(user=manager, url="https://example.org/hook")
    seal = FactorAdapter().encrypt
    Authenticator.objects.create(user=manager, type="totp", data={"secret": seal("of the app")})
    codes = {"seed": seal("of the codes"), "used_mask": 5, "migrated_codes": [seal("one")]}
    Authenticator.objects.create(user=manager, type="recovery_codes", data=codes)
    Authenticator.objects.create(user=manager, type="webauthn", data={"name": "a key", "credential": {}})
    return secret


def reseal() -> str:
    out = StringIO()
    call_command("reseal", stdout=out)
    return out.getvalue()


def test_earlier_key_may_go_afterwards(sealed: str, settings: Settings) -> None:
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], NEXT
    assert reseal() == "1 secrets of webhooks sealed anew.\n2 second factors sealed anew.\n"
    settings.SECRET_KEY_FALLBACKS = []
    row = WebhookSecret.objects.get()
    assert unseal(row.sealed, row.endpoint_id) == sealed
    opened = FactorAdapter().decrypt
    app, codes, key = (Authenticator.objects.get(type=kind).data for kind in ("totp", "recovery_codes", "webauthn"))
    assert opened(app["secret"]) == "of the app"
    assert (opened(codes["seed"]), opened(codes["migrated_codes"][0])) == ("of the codes", "one")
    assert codes["used_mask"] == 5
    assert key == {"name": "a key", "credential": {}}


@pytest.mark.usefixtures("sealed")
def test_without_it_they_are_lost(settings: Settings) -> None:
    settings.SECRET_KEY = NEXT
    row = WebhookSecret.objects.get()
    with pytest.raises(WebhookSecretLost):
        unseal(row.sealed, row.endpoint_id)


@pytest.mark.usefixtures("sealed")
def test_what_no_key_opens_is_said_and_left(settings: Settings) -> None:
    settings.SECRET_KEY = NEXT
    before = set(WebhookSecret.objects.values_list("sealed"))
    with pytest.raises(CommandError, match="3 can be opened by none of the keys"):
        reseal()
    assert set(WebhookSecret.objects.values_list("sealed")) == before
