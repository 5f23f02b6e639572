"""Signing in at an OpenID provider, against one that is strict; and what of its answers is not believed."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail

from orchestration.execution.post import deliver
from orchestration.models import Membership, User, Workspace
from project import oidc
from tests.factories import PASSWORD
from tests.frontend.ask import browser
from tests.oidc_double import CLIENT, SECRET, Double, provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def one_double() -> Iterator[Double]:
    with provider() as double:
        yield double


@pytest.fixture
def uni(one_double: Double, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Double:
    for part in dataclasses.fields(Double):
        if part.name != "url" and part.default is not dataclasses.MISSING:
            setattr(one_double, part.name, part.default)
        elif part.default_factory is not dataclasses.MISSING:
            setattr(one_double, part.name, part.default_factory())
    settings.PUBLIC_URL = "https://esteira.example"
    configure(settings, monkeypatch, one_double)
    return one_double


def configure(settings: Settings, monkeypatch: pytest.MonkeyPatch, double: Double, **more: Any) -> None:
    """What project/settings.py does at start."""
    one = {"id": "uni", "name": "The University", "issuer": double.url, "client_id": CLIENT, "client_secret": SECRET}
    monkeypatch.setenv("ESTEIRA_OIDC", json.dumps([one | more]))
    settings.OIDC = oidc.providers()
    own = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": own | {"APPS": settings.OIDC}}


def go(client: Client, *, process: str = "") -> str:
    """Where the browser is sent to."""
    query = f"?process={process}" if process else ""
    response = client.post(f"/login/with/uni/{query}", {"next": "/files/"})
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def come_back(client: Client, brought: dict[str, str]) -> Any:
    return client.get("/login/with/uni/callback/", brought)


def sign_in(uni: Double, client: Client | None = None) -> Any:
    client = client or browser()
    return come_back(client, uni.consent(go(client)))


@pytest.fixture
def ida(uni: Double, owner: User) -> User:
    """Ana, who has connected her account at the university."""
    SocialAccount.objects.create(user=owner, provider="uni", uid=uni.person.sub)
    return owner


def test_connected_account_is_signed_in_and_led_on(uni: Double, ida: User) -> None:
    client = browser()
    assert "Sign in with The University" in client.get("/login/").content.decode()
    assert sign_in(uni, client)["Location"] == "/files/"
    assert client.get("/files/").status_code == 200
    assert client.session["_auth_user_id"] == str(ida.pk)
    assert not SocialToken.objects.exists(), "we keep nothing with which to act there"


def test_what_is_asked_for_is_ours_to_say(uni: Double, ida: User) -> None:
    client = browser()
    response = client.post("/login/with/uni/?scope=admin&auth_params=prompt%3Dnone", headers={"host": "localhost"})
    uni.consent(response["Location"])
    assert uni.asked["redirect_uri"] == "https://esteira.example/login/with/uni/callback/"
    assert set(uni.asked["scope"].split()) == {"openid", "profile", "email"}
    assert "prompt" not in uni.asked
    assert len(uni.asked["nonce"]) >= 32
    assert len(uni.asked["state"]) >= 16


def test_it_begins_only_by_a_button(uni: Double) -> None:
    response = browser().get("/login/with/uni/")
    assert response.status_code == 200
    assert "Go to The University" in response.content.decode()
    assert browser(enforce_csrf_checks=True).post("/login/with/uni/").status_code == 403


def test_second_factor_is_asked_for_here_too(uni: Double, ida: User) -> None:
    Authenticator.objects.create(user=ida, type="totp", data={"secret": "x"})
    assert sign_in(uni)["Location"] == "/login/second-factor/"


def test_account_that_is_switched_off_stays_out(uni: Double, ida: User) -> None:
    User.objects.filter(pk=ida.pk).update(is_active=False)
    client = browser()
    sign_in(uni, client)
    assert client.get("/files/").status_code == 302


FORGED: dict[str, Callable[[Double], None]] = {
    "a key that the provider does not show": lambda uni: setattr(uni, "signs_with_other", True),
    "a name of a key that there is not": lambda uni: setattr(uni, "kid", "two"),
    "no signature": lambda uni: setattr(uni, "algorithm", "none"),
    "a public key for a secret": lambda uni: setattr(uni, "algorithm", "HS256"),
    "another issuer": lambda uni: setattr(uni, "claims", lambda c: c | {"iss": "https://evil.example"}),
    "another audience": lambda uni: setattr(uni, "claims", lambda c: c | {"aud": "another"}),
    "many audiences and another party": lambda uni: setattr(uni, "claims", lambda c: c | {"aud": [CLIENT, "x"]}),
    "an end that has passed": lambda uni: setattr(uni, "claims", lambda c: c | {"exp": int(time.time()) - 60}),
    "no end": lambda uni: setattr(uni, "claims", lambda c: {k: v for k, v in c.items() if k != "exp"}),
    "no subject": lambda uni: setattr(uni, "claims", lambda c: {k: v for k, v in c.items() if k != "sub"}),
    "another nonce": lambda uni: setattr(uni, "claims", lambda c: c | {"nonce": "of another browser"}),
    "no nonce": lambda uni: setattr(uni, "claims", lambda c: {k: v for k, v in c.items() if k != "nonce"}),
    "user-info of somebody else": lambda uni: setattr(uni, "userinfo", lambda said: said | {"sub": "1"}),
    "metadata of somebody else": lambda uni: setattr(uni, "metadata", lambda said: said | {"issuer": "https://e.e"}),
}


@pytest.mark.parametrize("what", FORGED)
def test_answer_that_does_not_hold_opens_nothing(uni: Double, ida: User, what: str) -> None:
    client = browser()
    brought = uni.consent(go(client))
    FORGED[what](uni)
    response = come_back(client, brought)
    assert "did not work" in response.content.decode()
    assert client.get("/files/").status_code == 302


def test_answer_of_another_browser_opens_nothing(uni: Double, ida: User) -> None:
    brought = uni.consent(go(browser()))
    client = browser()
    go(client)
    assert "did not work" in come_back(client, brought).content.decode()
    assert client.get("/files/").status_code == 302


def test_code_of_another_sign_in_is_of_no_use(uni: Double, ida: User) -> None:
    """A stolen code: the provider wants the proof key of the browser it was made for."""
    stolen = uni.consent(go(browser()))["code"]
    client = browser()
    state = uni.consent(go(client))["state"]
    assert "did not work" in come_back(client, {"code": stolen, "state": state}).content.decode()
    assert uni.refusals == ["the proof key does not fit"]


@pytest.mark.parametrize("broken", ["down", "not all of it"])
def test_provider_that_is_not_there_is_said_tidily(uni: Double, settings: Settings, broken: str) -> None:
    if broken == "down":
        settings.OIDC[0]["settings"]["server_url"] = "http://127.0.0.1:9"
    else:
        uni.metadata = lambda said: {"issuer": said["issuer"]}
    response = browser().post("/login/with/uni/")
    assert "did not work" in response.content.decode()


def test_unknown_provider_is_not_there(uni: Double) -> None:
    assert browser().post("/login/with/nobody/").status_code == 404


# Somebody new


def test_whoever_has_no_account_is_told_whom_to_ask(uni: Double) -> None:
    client = browser()
    assert "You have no account here" in sign_in(uni, client).content.decode()
    assert not User.objects.filter(username="ida").exists()


def test_rule_lets_somebody_new_into_its_workspace(
    uni: Double, settings: Settings, monkeypatch: pytest.MonkeyPatch, lab: Workspace
) -> None:
    configure(settings, monkeypatch, uni, workspace="lab", role="viewer", domains=["Example.org"])
    client = browser()
    assert sign_in(uni, client)["Location"] == "/files/"
    user = User.objects.get(username="ida")
    assert (user.email, user.first_name, user.is_staff) == ("ida@example.org", "Ida", False)
    assert not user.has_usable_password()
    assert Membership.objects.get(user=user).role == "viewer"
    sign_in(uni)
    assert User.objects.filter(username__startswith="ida").count() == 1


def test_subject_may_be_as_long_as_the_standard_lets_it(
    uni: Double, settings: Settings, monkeypatch: pytest.MonkeyPatch, lab: Workspace
) -> None:
    configure(settings, monkeypatch, uni, workspace="lab", role="viewer")
    for last in ("1", "2"):
        uni.person = dataclasses.replace(uni.person, sub="s" * 254 + last, email=f"{last}@example.org")
        for _ in range(2):
            assert sign_in(uni)["Location"] == "/files/"
    assert SocialAccount.objects.count() == 2


@pytest.mark.parametrize("claimed", ["robot@lab", "boss@example.org"])
def test_nobody_is_called_like_a_service_account_or_an_address(
    uni: Double, settings: Settings, monkeypatch: pytest.MonkeyPatch, lab: Workspace, claimed: str
) -> None:
    configure(settings, monkeypatch, uni, workspace="lab")
    uni.person.preferred_username = claimed
    sign_in(uni)
    assert Membership.objects.get(workspace=lab, user__first_name="Ida").user.username == "ida"


@pytest.mark.parametrize(("address", "is_verified"), [("ida@elsewhere.example", True), ("ida@example.org", False)])
def test_rule_for_a_domain_wants_an_address_that_the_provider_vouches_for(
    uni: Double,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    lab: Workspace,
    address: str,
    is_verified: bool,  # noqa: FBT001
) -> None:
    configure(settings, monkeypatch, uni, workspace="lab", domains=["example.org"])
    uni.person.email, uni.person.email_verified = address, is_verified
    assert "You have no account here" in sign_in(uni).content.decode()


@pytest.mark.parametrize("is_verified", [True, False, "true", None])
def test_same_address_makes_nobody_somebody_else(
    uni: Double,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    owner: User,
    is_verified: object,
) -> None:
    User.objects.filter(pk=owner.pk).update(email="ida@example.org")
    configure(settings, monkeypatch, uni, workspace="lab")
    uni.person.email_verified = is_verified
    client = browser()
    html = sign_in(uni, client).content.decode()
    assert client.session.get("_auth_user_id") != str(owner.pk)
    assert not SocialAccount.objects.filter(user=owner).exists()
    if is_verified is True:
        assert "an address alone is no proof" in html
    else:
        assert User.objects.get(username="ida").email == "", "what is not vouched for is not noted"


# An account of one's own


def test_account_is_connected_after_the_password_and_by_its_owner_alone(uni: Double, owner: User) -> None:
    client = browser(owner)
    assert "The University" in client.get("/account/").content.decode()
    asked = come_back(client, uni.consent(go(client, process="connect")))
    assert asked["Location"].startswith("/account/confirm/")
    assert not SocialAccount.objects.exists()
    client.post("/account/confirm/", {"password": PASSWORD})
    assert SocialAccount.objects.get().user == owner
    assert sign_in(uni)["Location"] == "/files/"


def test_owner_is_mailed_of_another_way_in_and_of_its_end(uni: Double, owner: User, settings: Settings) -> None:
    User.objects.filter(pk=owner.pk).update(email="ana@example.org")
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    client = browser(owner)
    come_back(client, uni.consent(go(client, process="connect")))
    client.post("/account/confirm/", {"password": PASSWORD})
    client.post("/account/elsewhere/", {"account": SocialAccount.objects.get().pk})
    assert deliver() == 2
    assert [to for letter in mail.outbox for to in letter.to] == ["ana@example.org"] * 2
    assert ["connected" in letter.subject for letter in mail.outbox] == [True, False]


def test_account_of_somebody_else_is_not_taken_over(uni: Double, ida: User, stranger: User) -> None:
    client = browser(stranger)
    come_back(client, uni.consent(go(client, process="connect")))
    client.post("/account/confirm/", {"password": PASSWORD})
    assert SocialAccount.objects.get().user == ida


def test_who_cannot_sign_in_there_any_more_lets_go_of_it(uni: Double, owner: User, settings: Settings) -> None:
    client = browser(owner)
    come_back(client, uni.consent(go(client, process="connect")))
    client.post("/account/confirm/", {"password": PASSWORD})
    left = SocialAccount.objects.create(user=owner, provider="closed", uid="1")
    assert "closed" in client.get("/account/").content.decode()
    assert client.post("/account/elsewhere/", {"account": str(left.pk)}).status_code == 302
    assert SocialAccount.objects.get().provider == "uni"


def test_last_way_in_is_not_cut(uni: Double, ida: User) -> None:
    mine = {"account": str(SocialAccount.objects.get().pk)}
    client = browser(ida)
    assert client.post("/account/elsewhere/", mine)["Location"].startswith("/account/confirm/")
    client.post("/account/confirm/?next=/account/", {"password": PASSWORD})
    assert client.post("/account/elsewhere/", mine).status_code == 302
    assert not SocialAccount.objects.exists()
    again = SocialAccount.objects.create(user=ida, provider="uni", uid="2")
    ida.set_unusable_password()
    ida.save(update_fields=["password"])
    client.force_login(ida)
    assert "no password" in client.post("/account/elsewhere/", {"account": str(again.pk)}).content.decode()
    assert SocialAccount.objects.exists()
