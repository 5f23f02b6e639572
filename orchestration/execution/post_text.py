"""The text of mail about a person's account. Pure: nothing is sent."""

from __future__ import annotations

from typing import Final, NamedTuple

NOTICES: Final = {
    "password_changed": "The password of your account was changed.",
    "password_set": "Your account was given a password.",
    "password_reset": "The password of your account was changed by a link that was mailed to you.",
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
