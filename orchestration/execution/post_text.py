"""The text of mail about a person's account. Pure: nothing is sent."""

from __future__ import annotations

from typing import Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

NOTICES: Final = {
    "password_changed": gettext_noop("The password of your account was changed."),
    "password_set": gettext_noop("Your account was given a password."),
    "password_reset": gettext_noop("The password of your account was changed by a link that was mailed to you."),
    "totp_activated": gettext_noop("An authenticator app was set up for your account."),
    "totp_deactivated": gettext_noop("The authenticator app was removed from your account."),
    "webauthn_added": gettext_noop("A passkey was added to your account."),
    "webauthn_removed": gettext_noop("A passkey was removed from your account."),
    "recovery_codes_generated": gettext_noop("Your account was given new recovery codes."),
    "account_connected": gettext_noop(
        "Another way to sign in to your account was connected: an account at another place."
    ),
    "account_disconnected": gettext_noop("An account at another place no longer signs in to yours."),
    "second_factors_removed": gettext_noop("An administrator has removed all second factors from your account."),
}


class Text(NamedTuple):
    subject: str
    body: str


def reset(*, username: str, link: str, minutes: int) -> Text:
    return Text(
        _("Esteira: a new password"),
        _(
            "Somebody, you hopefully, asked for a new password for the account %(username)s.\n\n"
            "Choose it here within %(minutes)s minutes:\n  %(link)s\n\n"
            "If that was not you, do nothing: your password stays as it is.\n"
        )
        % {"username": username, "minutes": minutes, "link": link},
    )


def notice(about: str, *, username: str, address: str) -> Text:
    said = _(NOTICES[about])
    return Text(
        f"Esteira: {said[0].lower()}{said[1:].rstrip('.')}",
        _(
            "%(said)s It is called %(username)s.\n\n"
            "If that was you, there is nothing to do. If not, somebody else is in your account: "
            "ask for a new password,\n"
            "and tell your administrator.\n"
            "  %(address)s\n"
        )
        % {"said": said, "username": username, "address": f"{address}/password/reset/"},
    )


def invitation(*, workspace: str, by: str, role: str, link: str, days: int) -> Text:
    return Text(
        _("Esteira: an invitation to %(workspace)s") % {"workspace": workspace},
        _(
            "%(who)s invites you to the workspace %(workspace)s, as %(role)s. "
            "Files go in there, pipelines run over them, and\n"
            "results come out.\n\n"
            "Accept within %(days)s days; the link works once:\n  %(link)s\n\n"
            "If you do not know what this is about, do nothing.\n"
        )
        % {"who": by or _("A manager"), "workspace": workspace, "role": _(role), "days": days, "link": link},
    )
