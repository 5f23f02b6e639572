"""Where mail is handed in, and how a bad address of it stops the process without saying the password."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from project import env

if TYPE_CHECKING:
    from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def read(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any] | None:
    monkeypatch.setenv("ESTEIRA_MAIL_URL", url)
    return env.mail_server("ESTEIRA_MAIL_URL")


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("smtp://mail.example", {"port": 587, "use_tls": True, "use_ssl": False, "username": "", "timeout": 10}),
        ("smtp://mail.example:2525/?security=starttls", {"port": 2525, "use_tls": True, "use_ssl": False}),
        ("smtp://mail.example?security=tls", {"port": 465, "use_tls": False, "use_ssl": True}),
        ("smtp://mail.example/?security=none", {"port": 25, "use_tls": False, "use_ssl": False}),
        ("smtp://ana%40x.org:p%2Fss@mail.example", {"username": "ana@x.org", "password": "p/ss"}),
    ],
)
def test_address_of_a_mail_server_is_read(monkeypatch: pytest.MonkeyPatch, url: str, options: dict[str, Any]) -> None:
    found = read(monkeypatch, url)
    assert found
    assert found["host"] == "mail.example"
    assert options.items() <= found.items()


def test_no_address_means_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, "") is None


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:587",
        "https://ana:hunter2@mail.example",
        "smtp://ana:hunter2@",
        "smtp://ana:hunter2@mail.example:port",
        "smtp://ana:hunter2@mail.example:99999",
        "smtp://ana:hunter2@mail.example/?security=ssl",
        "smtp://ana:hunter2@mail.example/?security",
        "smtp://ana:hunter2@mail.example/?secure=tls",
        "smtp://ana:hunter2@mail.example/?security=tls&timeout=1",
        "smtp://ana:hunter2@mail.example/inbox",
        "smtp://ana:hunter2%C3%A4@mail.example",
        "smtp://ana:hunter2@mail.example/#x",
        "smtp://ana@mail.example",
        "smtp://:hunter2@mail.example",
    ],
)
def test_bad_address_of_a_mail_server_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with pytest.raises(env.BadSetting) as refused:
        read(monkeypatch, url)
    assert "ESTEIRA_MAIL_URL" in str(refused.value)
    assert "security=starttls" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("sender", ["a@b.example", "Esteira <a@b.example>", "Não responda <a@b.example>"])
def test_sender_is_one_address(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    monkeypatch.setenv("ESTEIRA_MAIL_FROM", sender)
    assert env.mailbox("ESTEIRA_MAIL_FROM") == sender


@pytest.mark.parametrize(
    "sender",
    ["", "Esteira", "a@b.example, c@d.example", "a@b c", "a@b.example\nBcc: c@d.example", '"a\nb" <a@b.example>'],
)
def test_what_is_no_address_is_no_sender(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    monkeypatch.setenv("ESTEIRA_MAIL_FROM", sender)
    with pytest.raises(env.BadSetting, match="one mail address"):
        env.mailbox("ESTEIRA_MAIL_FROM")


def start(tmp_path: Path, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import project.settings as s; print(s.MAILERS)"],
        env={"PATH": os.environ["PATH"], "ESTEIRA_HOME": str(tmp_path), **given},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_settings_take_mail_server_and_sender_together(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("smtp://ana:secret@mail.example\n")
    url = {"ESTEIRA_MAIL_URL_FILE": str(tmp_path / "url")}
    assert "'password': 'secret'" in start(tmp_path, **url, ESTEIRA_MAIL_FROM="a@b.example").stdout
    without_sender = start(tmp_path, **url)
    assert without_sender.returncode == 1
    assert "ESTEIRA_MAIL_FROM is ''; allowed: one mail address" in without_sender.stderr
    assert start(tmp_path).stdout.strip() == "{}"
