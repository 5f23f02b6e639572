import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from api_app.client.credentials import config_path, find, normal_url
from api_app.client.errors import EsteiraError
from tests.client.conftest import Command
from tests.client.fake_server import TOKEN, Handler, Platform


@pytest.fixture
def stranger(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command on a machine where nobody has logged in."""
    monkeypatch.delenv("ESTEIRA_URL")
    monkeypatch.delenv("ESTEIRA_TOKEN")
    return command


def log_in(
    command: Command, url: str, monkeypatch: pytest.MonkeyPatch, *options: str, is_right: bool = True
) -> tuple[int, str]:
    reader = type(
        "Piped", (), {"readline": lambda _: "secret\n" if is_right else "wrong\n", "isatty": lambda _: False}
    )()
    monkeypatch.setattr(sys, "stdin", reader)
    done = command("login", "--url", url, "--user", "ana", "--password-stdin", *options)
    return done.code, done.out + done.err


def test_login_keeps_a_token_only_the_user_can_read(
    stranger: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = log_in(stranger, url, monkeypatch)

    assert code == 0
    assert "You are logged in" in told
    assert stat.S_IMODE(config_path().stat().st_mode) == 0o600
    assert json.loads(config_path().read_text()) == {
        "url": url,
        "token": "est_fresh",
        "token_id": "t1",
        "user": "ana",
    }
    assert "The lab" in stranger("whoami").out


def test_a_wrong_password_is_told_and_nothing_kept(
    stranger: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = log_in(stranger, url, monkeypatch, is_right=False)

    assert code == 5
    assert "does not know this user and password" in told
    assert not config_path().exists()


def test_logout_revokes_and_forgets(
    stranger: Command, url: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(stranger, url, monkeypatch)

    assert stranger("logout").code == 0

    assert platform.tokens == [TOKEN]
    assert not config_path().exists()
    assert "nothing to forget" in stranger("logout").out


def test_login_and_logout_as_json(stranger: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = log_in(stranger, url, monkeypatch, "--json")

    kept = str(config_path())
    assert (code, json.loads(told)) == (0, {"url": url, "user": "ana", "token_id": "t1", "kept_in": kept})
    assert json.loads(stranger("logout", "--json").out) == {"url": url, "revoked": True}
    assert json.loads(stranger("logout", "--json").out) == {"url": None, "revoked": False}


def test_logout_forgets_even_when_the_platform_is_gone(
    stranger: Command, url: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(stranger, url, monkeypatch)
    platform.tokens.clear()

    done = stranger("logout")

    assert not config_path().exists()
    assert "could not be revoked" in done.err


def test_without_a_login_it_says_what_to_do(stranger: Command) -> None:
    done = stranger("jobs")

    assert done.code == 5
    assert "esteira up" in done.err
    assert "esteira login" in done.err


def test_the_platform_of_this_machine_needs_no_login(stranger: Command, url: str) -> None:
    Path("var").mkdir()
    Path("var/cli.json").write_text(json.dumps({"url": url, "token": TOKEN}))

    assert stranger("jobs").code == 0


def test_the_platform_beside_the_code_is_found_from_anywhere(stranger: Command, url: str, tmp_path: Path) -> None:
    (tmp_path / "checkout/var").mkdir(parents=True)
    (tmp_path / "checkout/pyproject.toml").touch()
    (tmp_path / "checkout/var/cli.json").write_text(json.dumps({"url": url, "token": TOKEN}))

    assert stranger("jobs").code == 0


def test_the_platform_of_an_installed_package_is_found_from_anywhere(
    stranger: Command, url: str, tmp_path: Path
) -> None:
    (tmp_path / "data/esteira").mkdir(parents=True)
    (tmp_path / "data/esteira/cli.json").write_text(json.dumps({"url": url, "token": TOKEN}))

    assert stranger("jobs").code == 0


def test_a_file_of_somebody_else_sends_us_nowhere(
    stranger: Command, url: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("var").mkdir()
    Path("var/cli.json").write_text(json.dumps({"url": url, "token": TOKEN}))
    monkeypatch.setattr("os.geteuid", lambda: 12345)

    done = stranger("jobs")

    assert done.code == 2
    assert "belongs to another user" in done.err
    assert platform.requests == []


def test_a_damaged_login_is_told(stranger: Command) -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_text("{")

    assert "is damaged. Delete it and log in again" in stranger("jobs").err


def test_another_server_is_not_taken_for_a_platform(command: Command, platform: Platform) -> None:
    def page(handler: Handler) -> bool:
        handler.reply(200, b"<h1>It works!</h1>", {"Content-Type": "text/html"})
        return True

    platform.fail("GET /jobs", page)

    done = command("jobs")

    assert done.code == 4
    assert "does not look like Esteira" in done.err


def test_a_token_that_is_not_accepted_is_told(command: Command) -> None:
    done = command("--token", "est_old", "jobs")

    assert done.code == 5
    assert "does not accept the token from the option --token" in done.err


@pytest.mark.parametrize(("token", "code"), [(f"{TOKEN}\n", 0), ("é", 5), ("a b", 5)])
def test_a_token_may_be_pasted_badly(command: Command, monkeypatch: pytest.MonkeyPatch, token: str, code: int) -> None:
    monkeypatch.setenv("ESTEIRA_TOKEN", token)

    assert command("jobs").code == code


def test_options_stand_before_or_after_the_command(stranger: Command, url: str) -> None:
    assert stranger("--url", url, "--token", TOKEN, "jobs").code == 0
    assert stranger("jobs", "--url", url, "--token", TOKEN).code == 0


def test_a_token_goes_to_no_other_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_URL", "https://a.example")
    monkeypatch.setenv("ESTEIRA_TOKEN", TOKEN)

    with pytest.raises(EsteiraError, match=r"No token for https://b\.example"):
        find(url="b.example")


def test_options_win_over_environment_over_login_over_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESTEIRA_HOME", str(tmp_path))
    (tmp_path / "cli.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "machine"}))
    assert find().token == "machine"
    config_path().parent.mkdir(parents=True)
    config_path().write_text(json.dumps({"url": "https://a.example", "token": "login"}))
    assert find().token == "login"
    assert find(url="127.0.0.1:1").token == "machine"
    monkeypatch.setenv("ESTEIRA_URL", "https://b.example")
    monkeypatch.setenv("ESTEIRA_TOKEN", "environment")
    assert find().token == "environment"
    assert find(url="https://c.example", token="option").token == "option"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("localhost:8000/", "http://localhost:8000"),
        ("esteira.example.org", "https://esteira.example.org"),
        ("https://esteira.example.org/api/v1/", "https://esteira.example.org"),
    ],
)
def test_addresses_may_be_typed_shortly(text: str, expected: str) -> None:
    assert normal_url(text) == expected


@pytest.mark.parametrize(
    "text", ["", "ftp://x", "https://user:pw@x", "https://x:port", "https://", "https://xn--", "https://a..b"]
)
def test_bad_addresses_are_told(text: str) -> None:
    with pytest.raises(EsteiraError, match="not the address of a platform"):
        normal_url(text)


def test_help_loads_neither_httpx_nor_rich() -> None:
    code = (
        "import sys; from api_app.client.cli import main; main(['--help']);"
        "sys.exit(bool({'httpx', 'rich', 'ssl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=Path(__file__).parents[2])

    assert done.returncode == 0
