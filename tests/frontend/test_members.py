"""Invitations and roles: who may invite whom, what a link is good for, and that somebody always manages."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.utils import timezone

from orchestration.errors import Forbidden, OrchestrationError
from orchestration.execution.post import deliver
from orchestration.models import Invitation, Letter, Membership, ShareLink, User, Workspace
from orchestration.services.invitations import accept, invite
from orchestration.services.known_secrets import secrets_known_to
from orchestration.services.members import change_role, remove_member
from orchestration.services.service_accounts import create_service_account
from orchestration.services.shares import Terms, create_share
from orchestration.services.tokens import issue, revoke
from orchestration.services.webhooks import create_webhook, rotate_secret
from tests.api.test_archives import result
from tests.factories import join, make_job, make_user, make_workspace
from tests.frontend.ask import browser
from tests.orchestration.post_office import PostOffice, post_office, use

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.conftest import People

pytestmark = pytest.mark.django_db
NEW = {"username": "ida", "password": "seven quiet lanterns"}


def ask(user: User, email: str = "ida@example.org", role: str = "submitter") -> Any:
    return browser(user).post("/members/", {"email": email, "role": role})


def path_of(invitation: Invitation) -> str:
    return f"/invitation/{invitation.key}/"


@pytest.fixture
def invited(manager: User) -> Invitation:
    return invite(user=manager, email="Ida@Example.org", role="viewer", workspace="lab")


def role_in(workspace: Workspace, username: str) -> str | None:
    return (
        Membership.objects.filter(workspace=workspace, user__username=username).values_list("role", flat=True).first()
    )


# Inviting


def test_manager_invites_by_mail_and_the_link_is_nowhere_else(
    manager: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with post_office() as office:
        use(office.url, settings, monkeypatch)
        settings.PUBLIC_URL, settings.DEFAULT_FROM_EMAIL = "https://esteira.example", "esteira@example.org"
        html = ask(manager, "Ida@Example.org", "viewer").content.decode()
        assert "on its way" in html
        assert "/invitation/" not in html, "whoever sees the link could use it"
        assert office.connections == 0
        assert deliver() == 1
        _check_mail(office)
    assert not Letter.objects.exists()


def _check_mail(office: PostOffice) -> None:
    (mail,) = office.letters
    assert (mail["To"], mail["Subject"]) == ("ida@example.org", "Esteira: an invitation to Lab")
    text = mail.get_content()
    assert "mara invites you to the workspace Lab, as viewer" in text
    found = re.search(r"https://esteira\.example(/invitation/\S+)", text)
    assert found
    assert "invited to Lab" in browser().get(found[1]).content.decode()


def test_without_a_mail_server_the_manager_hands_the_link_over(manager: User, settings: Settings) -> None:
    settings.MAILERS = {}
    response = ask(manager)
    found = re.search(r"http://[^/]+(/invitation/[^<]+)<", response.content.decode())
    assert found
    assert response["Cache-Control"] == "no-store"
    assert browser().get(found[1]).status_code == 200


@pytest.mark.parametrize("who", ["owner", "viewer", "stranger"])
def test_only_managers_see_and_invite(who: str, request: pytest.FixtureRequest, invited: Invitation) -> None:
    client = browser(request.getfixturevalue(who))
    assert client.get("/members/").status_code == 403
    assert client.post("/members/", {"email": "x@example.org", "role": "viewer"}).status_code == 403
    assert client.post(f"/members/invitations/{invited.pk}/revoke/").status_code == 404
    assert Invitation.objects.count() == 1


def test_service_account_invites_nobody(manager: User) -> None:
    robot = create_service_account(user=manager, name="robot", role="manager")
    with pytest.raises(OrchestrationError, match="service account cannot invite"):
        invite(user=robot, email="x@example.org", role="viewer")


@pytest.mark.parametrize(
    ("email", "role", "why"), [("none", "viewer", "no mail address"), ("a@b.cd", "owner", "no role")]
)
def test_what_cannot_be_is_refused_with_a_sentence(manager: User, email: str, role: str, why: str) -> None:
    response = ask(manager, email, role)
    assert response.status_code == 422
    assert why in response.content.decode()


def test_member_is_not_invited_again(manager: User, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="ana@example.org")
    assert "in Lab already" in ask(manager, "ANA@example.org").content.decode()


def test_second_invitation_ends_the_link_of_the_first(manager: User, invited: Invitation) -> None:
    first = path_of(invited)
    again = invite(user=manager, email="ida@example.org", role="manager", workspace="lab")
    assert again.pk == invited.pk
    assert browser().get(first).status_code == 404
    assert browser().get(path_of(again)).status_code == 200


def test_workspace_has_only_so_many_unused(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.services.invitations.MOST_OF_A_WORKSPACE", 2)
    said = [ask(manager, f"p{n}@example.org").status_code for n in range(3)]
    assert said == [200, 200, 422]


def test_taking_back_makes_no_room_on_the_same_day(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was mailed: by taking back and inviting anew we would write to everybody."""
    monkeypatch.setattr("orchestration.services.invitations.MOST_OF_A_WORKSPACE", 1)
    ask(manager, "p1@example.org")
    browser(manager).post(f"/members/invitations/{Invitation.objects.get().pk}/revoke/")
    assert ask(manager, "p2@example.org").status_code == 422
    Invitation.objects.update(revoked_at=timezone.now() - timedelta(days=2))
    assert ask(manager, "p2@example.org").status_code == 200


def test_one_address_is_written_to_only_so_often(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.services.invitations.MOST_LINKS", 2)
    assert [ask(manager).status_code for _ in range(3)] == [200, 200, 422]


def test_address_that_no_column_has_room_for_is_refused(manager: User) -> None:
    response = ask(manager, f"{'a' * 260}@example.org")
    assert response.status_code == 422
    assert "too long" in response.content.decode()


# Accepting


@pytest.mark.parametrize("how", ["removed", "lowered", "off"])
def test_link_of_somebody_who_manages_no_more_leads_nowhere(
    manager: User, invited: Invitation, lab: Workspace, how: str
) -> None:
    """Or a manager who is removed comes back by one that she sent to herself before."""
    other = make_user("nina")
    join(other, lab, "manager")
    if how == "removed":
        remove_member(user=other, workspace=lab, member_id=manager.pk)
    elif how == "lowered":
        change_role(user=other, workspace=lab, member_id=manager.pk, role="viewer")
    else:
        User.objects.filter(pk=manager.pk).update(is_active=False)
    assert browser().get(path_of(invited)).status_code == 404
    with pytest.raises(OrchestrationError, match="leads nowhere"):
        accept(user=make_user("otto"), key=invited.key)
    again = invite(user=other, email="ida@example.org", role="viewer", workspace="lab")
    assert browser().get(path_of(again)).status_code == 200


def test_somebody_new_makes_an_account_and_is_in(invited: Invitation, lab: Workspace) -> None:
    client = browser()
    response = client.post(path_of(invited), NEW, follow=True)
    assert "Welcome to Lab" in response.content.decode()
    user = User.objects.get(username="ida")
    assert (user.email, user.is_staff, role_in(lab, "ida")) == ("ida@example.org", False, "viewer")
    invited.refresh_from_db()
    assert invited.accepted_by == user
    assert client.get("/jobs/").status_code == 200


def test_somebody_who_is_here_accepts_whatever_her_address(invited: Invitation, stranger: User, lab: Workspace) -> None:
    client = browser(stranger)
    assert "Accept as eva" in client.get(path_of(invited)).content.decode()
    client.post(path_of(invited))
    assert role_in(lab, "eva") == "viewer"


def test_link_works_once(invited: Invitation, stranger: User, lab: Workspace) -> None:
    browser().post(path_of(invited), NEW)
    assert browser(stranger).post(path_of(invited)).status_code == 404
    assert "leads nowhere" in browser(stranger).get(path_of(invited)).content.decode()
    assert role_in(lab, "eva") is None


@pytest.mark.parametrize("end", ["expired", "revoked", "forged", "of another"])
def test_link_that_has_ended_lets_nobody_in(invited: Invitation, manager: User, lab: Workspace, end: str) -> None:
    path = path_of(invited)
    if end == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "revoked":
        assert browser(manager).post(f"/members/invitations/{invited.pk}/revoke/").status_code == 302
    elif end == "forged":
        path = path[:-3] + ("AA/" if path[-3:] != "AA/" else "BB/")
    else:
        path = path.replace(invited.pk.hex, make_workspace("other").pk.hex)
    assert browser().post(path, NEW).status_code == 404
    assert role_in(lab, "ida") is None
    assert not User.objects.filter(username="ida").exists()


def test_member_who_accepts_keeps_her_role_and_the_link(invited: Invitation, owner: User, lab: Workspace) -> None:
    response = browser(owner).post(path_of(invited))
    assert "You are in Lab already" in response.content.decode()
    assert role_in(lab, "ana") == "submitter"
    assert browser().get(path_of(invited)).status_code == 200


def test_address_that_has_an_account_signs_in_to_it(invited: Invitation, stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(email="ida@example.org")
    response = browser().post(path_of(invited), NEW)
    assert "Sign in to it" in response.content.decode()
    assert not User.objects.filter(username="ida").exists()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (NEW | {"password": "short"}, "too short"),
        (NEW | {"username": "Ana"}, "called Ana already"),
        (NEW | {"username": "robot@lab"}, "has no @"),
        (NEW | {"username": "a b"}, "valid username"),
        (NEW | {"username": ""}, "cannot be blank"),
    ],
)
def test_account_that_cannot_be_is_refused_and_the_link_stays(
    invited: Invitation, owner: User, sent: dict[str, str], why: str
) -> None:
    response = browser().post(path_of(invited), sent)
    assert response.status_code == 422
    assert why in response.content.decode()
    assert browser().get(path_of(invited)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_not_both_let_in(manager: User, stranger: User, lab: Workspace) -> None:
    other = make_user("other")
    key = invite(user=manager, email="x@example.org", role="viewer", workspace="lab").key

    def go(user: User) -> str:
        try:
            accept(user=user, key=key)
        except OrchestrationError as exc:
            return exc.code
        finally:
            connections.close_all()
        return "in"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(go, [stranger, other])) == ["in", "not_found"]


# Members


def test_manager_changes_a_role_and_removes(manager: User, owner: User, lab: Workspace) -> None:
    client = browser(manager)
    assert "ana" in client.get("/members/").content.decode()
    client.post(f"/members/{owner.pk}/role/", {"role": "viewer"})
    assert role_in(lab, "ana") == "viewer"
    client.post(f"/members/{owner.pk}/remove/")
    assert role_in(lab, "ana") is None


@pytest.mark.parametrize("who", ["owner", "viewer", "stranger"])
def test_others_change_nothing(who: str, request: pytest.FixtureRequest, manager: User, lab: Workspace) -> None:
    client = browser(request.getfixturevalue(who))
    for path in (f"/members/{manager.pk}/role/", f"/members/{manager.pk}/remove/"):
        assert client.post(path, {"role": "viewer"}).status_code == 403
    assert role_in(lab, "mara") == "manager"


def test_nobody_makes_herself_more(owner: User, manager: User, lab: Workspace) -> None:
    """As somebody would who is made less while she asks: the page has looked at her role before."""
    with pytest.raises(OrchestrationError, match="needs the role manager"):
        change_role(user=owner, workspace=lab, member_id=owner.pk, role="manager")
    assert role_in(lab, "ana") == "submitter"


def test_manager_reaches_only_people_of_her_workspace(manager: User, stranger: User) -> None:
    client = browser(manager)
    assert client.post(f"/members/{stranger.pk}/remove/").status_code == 404
    robot = create_service_account(user=manager, name="robot")
    assert client.post(f"/members/{robot.pk}/role/", {"role": "manager"}).status_code == 404
    assert Membership.objects.filter(user=stranger).exists()


def test_secrets_that_somebody_knows_who_is_removed_are_told(manager: User, lab: Workspace, people: People) -> None:
    other = make_user("omar")
    join(other, lab, "manager")
    kept = create_webhook(user=other, url="https://93.184.216.34/", workspace="lab")[0]
    turned = create_webhook(user=other, url="https://93.184.216.35/", workspace="lab")[0]
    rotate_secret(user=manager, endpoint=turned)
    create_webhook(user=manager, url="https://93.184.216.36/", workspace="lab")
    robot = create_service_account(user=other, name="nightly", workspace="lab")
    live, dead = (issue(user=robot, name=name, by=other)[0] for name in ("live", "dead"))
    revoke(user=robot, token_id=dead.pk, by=manager)
    issue(user=other, name="her own")
    html = browser(manager).post(f"/members/{other.pk}/remove/", follow=True).content.decode()
    (said,) = re.findall(r"secrets that still hold[^<]*", html)
    assert said.endswith(f"Tokens: {kept}, {robot.username}: {live.name}.")
    assert secrets_known_to(user=manager, person_id=people.owner.pk, workspace=lab).names == []
    with pytest.raises(Forbidden):
        secrets_known_to(user=people.owner, person_id=other.pk, workspace=lab)


@pytest.mark.parametrize("how", ["role", "remove", "leave"])
def test_last_manager_cannot_go(manager: User, lab: Workspace, how: str) -> None:
    join(make_user("off", is_active=False), lab, "manager")
    create_service_account(user=manager, name="robot", role="manager")
    path = f"/workspaces/{lab.pk}/leave/" if how == "leave" else f"/members/{manager.pk}/{how}/"
    response = browser(manager).post(path, {"role": "viewer"}, follow=True)
    assert "last manager cannot go" in response.content.decode()
    assert role_in(lab, "mara") == "manager"


def test_links_of_somebody_who_goes_end_with_her(manager: User, owner: User, lab: Workspace) -> None:
    other = make_workspace("other")
    join(owner, other)
    jobs = [make_job(owner, workspace, state="SUCCEEDED") for workspace in (lab, other)]
    for job in jobs:
        result(job, "a.txt")
    ends, stays = (create_share(user=owner, job=job, terms=Terms(days=7))[0] for job in jobs)
    managers = create_share(user=manager, job=jobs[0], terms=Terms(days=7))[0]
    browser(manager).post(f"/members/{owner.pk}/remove/")
    assert set(ShareLink.objects.good()) == {stays, managers}
    ends.refresh_from_db()
    assert ends.revoked_by == manager


def test_anybody_may_leave(owner: User, manager: User, lab: Workspace) -> None:
    client = browser(owner)
    assert "Leave" in client.get("/account/").content.decode()
    client.post(f"/workspaces/{lab.pk}/leave/")
    assert role_in(lab, "ana") is None
    assert client.post(f"/workspaces/{lab.pk}/leave/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_managers_cannot_both_remove_the_other(manager: User, lab: Workspace) -> None:
    other = make_user("nina")
    join(other, lab, "manager")

    def go(pair: tuple[User, User]) -> str:
        try:
            remove_member(user=pair[0], workspace=lab, member_id=pair[1].pk)
        except OrchestrationError as exc:
            return exc.code
        finally:
            connections.close_all()
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(go, [(manager, other), (other, manager)]))
    assert said[-1] == "removed"
    assert said[0] in {"forbidden", "conflict"}
    assert Membership.objects.filter(workspace=lab, role="manager").count() == 1
