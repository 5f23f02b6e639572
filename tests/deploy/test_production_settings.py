"""Production: what is given whole passes Django's own checks, and whatever is not ends the process with sentences."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.conf import settings

from project import production
from project.env import BadSetting
from project.kept_secret import new_signing_key
from project.setting_names import OTHERS, SETTINGS, refuse_mistyped

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(settings.BASE_DIR)
KEY: Final = "Zk3vJ9wQx7LrT2mNc8Yp4HdSf6BgUa1EoXiKjWqMhRtVzPbD"
NAME: Final = re.compile(r"ESTEIRA_[A-Z0-9_]+[A-Z0-9]|DATABASE_URL|AWS_(DEFAULT_)?REGION")
FAR: Final = "postgresql://app:hush@db.example.org/esteira"


def given() -> dict[str, str]:
    """All that production needs."""
    return {
        "ESTEIRA_PRODUCTION": "true",
        "ESTEIRA_HTTPS": "true",
        "ESTEIRA_PUBLIC_URL": "https://esteira.example.org",
        "ESTEIRA_ALLOWED_HOSTS": "esteira.example.org",
        "ESTEIRA_TRUSTED_PROXIES": "10.0.0.0/16",
        "ESTEIRA_TRUSTED_ORIGINS": "https://esteira.example.org",
        "ESTEIRA_SECRET_KEY": f"{KEY}{KEY}",
        "ESTEIRA_SIGNING_KEY": signing_key(),
        "DATABASE_URL": f"{FAR}?sslmode=verify-full&sslrootcert=system",
    }


@cache
def signing_key() -> str:
    return new_signing_key()


def started(tmp_path: Path, *command: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "ESTEIRA_HOME": str(tmp_path), **given(), **changes}
    return subprocess.run(
        [sys.executable, *(command or ("-c", "import project.settings"))],
        env={name: value for name, value in env.items() if value is not None},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_deploy_finds_nothing(tmp_path: Path) -> None:
    done = started(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout, done.stdout


def test_every_secret_may_be_a_file_of_a_mounted_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    secrets = {name: given()[name] for name in ("ESTEIRA_SECRET_KEY", "ESTEIRA_SIGNING_KEY", "DATABASE_URL")}
    secrets |= {
        "ESTEIRA_SECRET_KEY_FALLBACKS": f"{'1' * 40}\n{'2' * 40}\n",
        "ESTEIRA_MAIL_URL": "smtp://user:hush@mail.example.org",
        "ESTEIRA_OIDC": "[]",
    }
    for name, value in secrets.items():
        (folder / name).write_text(f"{value}\n")
    said = "import project.settings as s; print(len(s.SECRET_KEY), len(s.SECRET_KEY_FALLBACKS), s.MAILERS['default'])"
    nothing = dict.fromkeys(secrets)
    done = started(tmp_path, "-c", said, **nothing, ESTEIRA_SECRETS_DIR=str(folder), ESTEIRA_MAIL_FROM="a@example.org")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{2 * len(KEY)} 2 "), done.stdout
    assert "mail.example.org" in done.stdout


PLACE: Final = "us-east-1:123456789012"
AWS: Final[dict[str, str | None]] = {
    "ESTEIRA_ENGINE": "aws",
    "ESTEIRA_STATE_MACHINE": f"arn:aws:states:{PLACE}:stateMachine:esteira",
    "ESTEIRA_BATCH_QUEUE": f"arn:aws:batch:{PLACE}:job-queue/esteira-on-demand",
    "ESTEIRA_BATCH_IMAGE": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/esteira/steps@sha256:{'a' * 64}",
    "ESTEIRA_BATCH_LOG_GROUP": "/esteira/runners",
    "ESTEIRA_MANIFESTS": "s3://esteira-manifests/runs",
}
BUCKETS: Final = {
    "ESTEIRA_STORAGE": "s3",
    "ESTEIRA_S3_REGION": "us-east-1",
    "ESTEIRA_S3_BUCKET_UPLOADS": "esteira-uploads",
    "ESTEIRA_S3_BUCKET_RESULTS": "esteira-results",
}
# What is set or taken away (None), and what the sentences must say: the name, what is wrong, how to mend it.
BAD: Final[list[tuple[dict[str, str | None], list[str]]]] = [
    ({"ESTEIRA_SECRET_KEY": None}, ["ESTEIRA_SECRET_KEY is not given", "openssl rand -base64 48"]),
    ({"ESTEIRA_SECRET_KEY": ""}, ["ESTEIRA_SECRET_KEY is not given", "openssl rand -base64 48"]),
    ({"ESTEIRA_SECRET_KEY": "k" * 31}, ["ESTEIRA_SECRET_KEY", "at least 32 characters"]),
    ({"ESTEIRA_SECRET_KEY": "a1b2c3d4" * 5}, ["ESTEIRA_SECRET_KEY has fewer than 50", "openssl rand"]),
    ({"ESTEIRA_SECRET_KEY": "k" * 64}, ["ESTEIRA_SECRET_KEY", "few different ones", "openssl rand"]),
    ({"ESTEIRA_SECRET_KEY_FALLBACKS": f"{KEY}{KEY}"}, ["ESTEIRA_SECRET_KEY_FALLBACKS", "the one in use", "earlier"]),
    ({"ESTEIRA_SECRET_KEY_FALLBACKS": "short"}, ["ESTEIRA_SECRET_KEY_FALLBACKS", "at least 32 characters"]),
    ({"ESTEIRA_SIGNING_KEY": None}, ["ESTEIRA_SIGNING_KEY is not given", "openssl genpkey -algorithm ed25519"]),
    ({"ESTEIRA_SIGNING_KEY": "not a key"}, ["ESTEIRA_SIGNING_KEY", "openssl genpkey -algorithm ed25519"]),
    ({"DATABASE_URL": None}, ["DATABASE_URL is not given", "sslmode=verify-full"]),
    ({"DATABASE_URL": FAR}, ["DATABASE_URL goes to db.example.org", "sslmode=verify-full"]),
    ({"DATABASE_URL": f"{FAR}?sslmode=require"}, ["DATABASE_URL", "certificate", "sslrootcert=/path/of/ca.pem"]),
    ({"DATABASE_URL": "postgresql://a:b@localhost,far.example/x"}, ["DATABASE_URL goes to far.example"]),
    ({"DATABASE_URL": f"{FAR}?sslmode=verify-full&sslrootcert=/no/ca.pem"}, ["sslrootcert=/no/ca.pem", "Mount"]),
    ({"DATABASE_URL": "postgresql://a:hu%sh@x/y"}, ["DATABASE_URL", "%25 for %"]),
    ({"ESTEIRA_DEBUG": "true"}, ["ESTEIRA_DEBUG is true", "Take it away"]),
    ({"ESTEIRA_HTTPS": "false"}, ["ESTEIRA_HTTPS is not true", "Set ESTEIRA_HTTPS=true"]),
    ({"ESTEIRA_HTTPS": None}, ["ESTEIRA_HTTPS is not true", "Set ESTEIRA_HTTPS=true"]),
    ({"ESTEIRA_PUBLIC_URL": None}, ["ESTEIRA_PUBLIC_URL", "not https", "https://esteira.example.org"]),
    ({"ESTEIRA_PUBLIC_URL": "http://esteira.example.org"}, ["ESTEIRA_PUBLIC_URL", "not https"]),
    ({"ESTEIRA_ALLOWED_HOSTS": "*"}, ["ESTEIRA_ALLOWED_HOSTS", "without *"]),
    ({"ESTEIRA_ALLOWED_HOSTS": "other.example.org"}, ["ESTEIRA_ALLOWED_HOSTS has no esteira.example.org", "Set"]),
    ({"ESTEIRA_ALLOWED_HOSTS": None}, ["ESTEIRA_ALLOWED_HOSTS has no esteira.example.org", "Set"]),
    ({"ESTEIRA_TRUSTED_ORIGINS": "http://esteira.example.org"}, ["ESTEIRA_TRUSTED_ORIGINS", "which is http"]),
    ({"ESTEIRA_TRUSTED_ORIGINS": "esteira.example.org"}, ["ESTEIRA_TRUSTED_ORIGINS", "origins such as https://"]),
    ({"ESTEIRA_TRUSTED_ORIGINS": "https://esteira.example.org/x"}, ["ESTEIRA_TRUSTED_ORIGINS", "no path"]),
    ({"ESTEIRA_CONTENT_ORIGIN": "http://content.example.net"}, ["ESTEIRA_CONTENT_ORIGIN", "which is http"]),
    ({"ESTEIRA_TRUSTED_PROXIES": None}, ["ESTEIRA_TRUSTED_PROXIES is not given", "10.0.0.0/16"]),
    ({"ESTEIRA_TRUSTED_PROXIES": "0.0.0.0/0"}, ["ESTEIRA_TRUSTED_PROXIES", "everybody could say who they are"]),
    ({"ESTEIRA_TRUSTED_PROXIES": "proxy.local"}, ["ESTEIRA_TRUSTED_PROXIES", "networks such as 10.0.0.0/8"]),
    ({"ESTEIRA_BROKER_URL": "memory://"}, ["ESTEIRA_BROKER_URL", "memory of one process", "Take it away"]),
    (AWS, ["ESTEIRA_STORAGE is local while ESTEIRA_ENGINE is aws", "Set ESTEIRA_STORAGE=s3"]),
    (AWS | {"ESTEIRA_STORAGE": "local"}, ["ESTEIRA_STORAGE is local while ESTEIRA_ENGINE is aws"]),
    ({"ESTEIRA_PRODUCTION": "yes please"}, ["ESTEIRA_PRODUCTION", "true or false"]),
    ({"ESTEIRA_SECRET_KEY": None, "ESTEIRA_SECRET_KEY_FILE": "/nowhere/key"}, ["ESTEIRA_SECRET_KEY_FILE", "readable"]),
    ({"ESTEIRA_SECRET_KEY": None, "ESTEIRA_SECRET_KEY_FILE": "/"}, ["ESTEIRA_SECRET_KEY_FILE", "Is a directory"]),
    ({"ESTEIRA_SECRET_KEY": None, "ESTEIRA_SECRET_KEY_FILE": "/dev/null"}, ["ESTEIRA_SECRET_KEY_FILE", "not empty"]),
    ({"ESTEIRA_SECRET_KEY_FILE": "/dev/null"}, ["ESTEIRA_SECRET_KEY_FILE", "not both", "take one away"]),
    ({"ESTEIRA_SECRETS_DIR": "/nowhere"}, ["ESTEIRA_SECRETS_DIR", "a folder that exists"]),
    ({"ESTEIRA_SECRETKEY": "x"}, ["ESTEIRA_SECRETKEY", "Rename it to ESTEIRA_SECRET_KEY"]),
    ({"ESTEIRA_ALLOWED_HOST": "x"}, ["ESTEIRA_ALLOWED_HOST", "Rename it to ESTEIRA_ALLOWED_HOSTS"]),
    ({"ESTEIRA_MAIL_URI_FILE": "x"}, ["ESTEIRA_MAIL_URI_FILE", "Rename it to ESTEIRA_MAIL_URL"]),
    ({"ESTEIRA_DATABASE_URL": "x"}, ["ESTEIRA_DATABASE_URL", "Rename it to DATABASE_URL"]),
    ({"ESTEIRA_DRAIN_S": "soon"}, ["ESTEIRA_DRAIN_S", "a whole number from 0 to 600"]),
    ({"ESTEIRA_GRACE_S": "0"}, ["ESTEIRA_GRACE_S", "a whole number from 1 to 600"]),
]


@pytest.mark.parametrize(("changes", "said"), BAD, ids=[" ".join(changes) for changes, _ in BAD])
def test_bad_setup_ends_the_process_with_what_is_wrong_and_how_to_mend_it(
    tmp_path: Path, changes: dict[str, str | None], said: list[str]
) -> None:
    done = started(tmp_path, **changes)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert [part for part in said if part not in done.stderr] == [], done.stderr
    assert "hush" not in done.stderr


def test_engine_on_aws_starts_on_buckets(tmp_path: Path) -> None:
    done = started(tmp_path, **AWS, **BUCKETS)
    assert done.returncode == 0, done.stderr


def test_folders_do_for_whoever_is_not_in_production(tmp_path: Path) -> None:
    """Warned of, by esteira.W002: stand-ins of AWS on this machine see them."""
    done = started(tmp_path, **AWS, ESTEIRA_PRODUCTION=None)
    assert done.returncode == 0, done.stderr


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    done = started(tmp_path, **dict.fromkeys(given().keys() - {"ESTEIRA_PRODUCTION"}))
    named = re.findall(r"^  - (\w+)", done.stderr, re.MULTILINE)
    assert named == [
        "ESTEIRA_SECRET_KEY", "ESTEIRA_SIGNING_KEY", "DATABASE_URL", "ESTEIRA_HTTPS", "ESTEIRA_PUBLIC_URL",
        "ESTEIRA_TRUSTED_PROXIES",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("postgresql://a:b@localhost/esteira", ""),
        ("postgresql:///esteira?host=/var/run/postgresql", ""),
        ("postgresql://a:b@db/esteira", "db"),
        (f"{FAR}?sslmode=verify-full", ""),
    ],
)
def test_database_that_nobody_can_listen_in_on_needs_no_certificate(
    monkeypatch: pytest.MonkeyPatch, url: str, near: str
) -> None:
    for name, value in (given() | {"DATABASE_URL": url, "ESTEIRA_DB_NEAR_HOSTS": near}).items():
        monkeypatch.setenv(name, value)
    faults = production._Faults()
    production._database(faults, url)
    assert faults.found == []


def test_variables_of_others_are_let_be() -> None:
    refuse_mistyped({"ESTEIRA_URL": "x", "ESTEIRA_TOKEN": "x", "ESTEIRA_SERVICE_HOST": "x", "PATH": "x"})
    with pytest.raises(BadSetting, match="ESTEIRA_HTTP is 'set'"):
        refuse_mistyped({"ESTEIRA_HTTP": "x"})


def names_that_are_read() -> Iterator[str]:
    """Every name in the text of a call, and those that constants hold: settings are read by name and nowhere else."""
    for file in sorted((ROOT / "project").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            found: list[Any] = []
            if isinstance(node, ast.Call) and re.fullmatch(r"(env\.)?[a-z_]+", ast.unparse(node.func)):
                found = node.args[:1]
            elif isinstance(node, ast.AnnAssign):
                found = [node.value]
            texts = [one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from filter(NAME.fullmatch, texts)


BY_PATTERN: Final = {"ESTEIRA_S3_BUCKET_UPLOADS", "ESTEIRA_S3_BUCKET_RESULTS"}


def test_names_are_those_that_are_read() -> None:
    assert set(names_that_are_read()) | BY_PATTERN == SETTINGS
    assert not SETTINGS & OTHERS


# Ours alone: how processes and tests are told apart.
UNDOCUMENTED: Final = {"ESTEIRA_PROCESS", "ESTEIRA_TEST_DATABASE"}


def test_every_setting_is_in_the_tables() -> None:
    text = "".join((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("operate", "production"))
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)} & SETTINGS == SETTINGS - UNDOCUMENTED
