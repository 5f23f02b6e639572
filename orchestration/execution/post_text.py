"""The text of mail about a person's account. Pure: nothing is sent."""

from __future__ import annotations

from typing import Final, NamedTuple

NOTICES: Final = {
    "password_changed": "The password of your account was changed.",
    "password_set": "Your account was given a password.",
    "password_reset": "The password of your account was changed by a link that was mailed to you.",
    "totp_activated": "An authenticator app was set up for your account.",
    "totp_deactivated": "The authenticator app was removed from your account.",
    "webauthn_added": "A passkey was added to your account.",
    "webauthn_removed": "A passkey was removed from your account.",
    "recovery_codes_generated": "Your account was given new recovery codes.",
    "account_connected": "Another way to sign in to your account was connected: an account at another place.",
    "account_disconnected": "An account at another place no longer signs in to yours.",
    "second_factors_removed": "An administrator has removed all second factors from your account.",
}


class Text(NamedTuple):
    subject: str
    body: str


def reset(*, username: str, link: str, minutes: int) -> Text:
    return Text(
        "Esteira: a new password",
        f"Somebody, you hopefully, asked for a new password for the account {username}.\n\n"
        f"Choose it here within {minutes} minutes:\n  {link}\n\n"
        "If that was not you, do nothing: your password stays as it is.\n",
    )


def notice(about: str, *, username: str, address: str) -> Text:
    said = NOTICES[about]
    return Text(
        f"Esteira: {said[0].lower()}{said[1:].rstrip('.')}",
        f"{said} It is called {username}.\n\n"
        "If that was you, there is nothing to do. If not, somebody else is in your account: ask for a new password,\n"
        "and tell your administrator.\n"
        f"  {address}/password/reset/\n",
    )


def invitation(*, workspace: str, by: str, role: str, link: str, days: int) -> Text:
    who = by or "A manager"
    return Text(
        f"Esteira: an invitation to {workspace}",
        f"{who} invites you to the workspace {workspace}, as {role}. Files go in there, pipelines run over them, and\n"
        "results come out.\n\n"
        f"Accept within {days} days; the link works once:\n  {link}\n\n"
        "If you do not know what this is about, do nothing.\n",
    )
