"""docker compose on one server: what the files promise, without a docker to ask."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.composed import FOLDER, ROOT, Server, server, services, settings, variables

COMPOSE: Final = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
SERVICES: Final = services()
BY_HAND: Final = {name for name, one in SERVICES.items() if one.get("profiles") == ["tools"]}
TOOLS: Final = Path(sys.executable).parent


def test_compose_file_is_as_the_specification_says() -> None:
    checked = subprocess.run(
        [str(TOOLS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_shut_in(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert "no-new-privileges:true" in one["security_opt"]
    assert "privileged" not in one
    assert name == "proxy" or re.fullmatch(r"[1-9]\d*:[1-9]\d*", one["user"])
    assert one["mem_limit"]
    assert one["pids_limit"]
    assert one["logging"] == {"driver": "local", "options": {"max-size": "10m", "max-file": "5"}}
    assert not any("docker.sock" in str(volume) for volume in one["volumes"])
    assert ("ports" in one) == (name == "proxy")


@pytest.mark.parametrize("name", sorted(set(SERVICES) - BY_HAND - {"prepare"}))
def test_service_comes_back_and_says_how_it_is(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["stop_grace_period"]


def test_only_who_needs_the_internet_reaches_it() -> None:
    outside = {name for name, one in SERVICES.items() if set(one["networks"]) != {"back"}}
    assert outside == {"web", "worker", "proxy"}
    assert "back: {internal: true}" in COMPOSE


def test_images_are_named_in_one_place_and_in_a_version() -> None:
    images = settings("images.env")
    assert {one["image"].partition(":")[0].removeprefix("${").rstrip("}") for one in SERVICES.values()} == set(images)
    for image in images.values():
        assert re.search(r"(:\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})$", image), image
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert images["PLATFORM_IMAGE"].endswith(f":{version[1]}")


def test_every_secret_is_a_file_that_the_service_is_given() -> None:
    for name, one in SERVICES.items():
        secret = {key: value for key, value in one.get("environment", {}).items() if is_secret(key)}
        for key, value in secret.items():
            assert key.endswith("_FILE"), (name, key)
            assert Path(value).parent == Path("/run/secrets")
            assert Path(value).name in one["secrets"], (name, key)
    made = (FOLDER / "setup.sh").read_text()
    for secret_name in re.findall(r"^  (\w+): \{file: \./secrets/\1\}$", COMPOSE, re.MULTILINE):
        assert re.search(rf"made {secret_name}\b", made), f"setup.sh does not make {secret_name}"


def test_only_what_migrates_and_restores_signs_in_as_the_owner_of_the_tables() -> None:
    given = {name for name, one in SERVICES.items() if set(one.get("secrets", [])) & {"owner_url", "owner_password"}}
    assert given == {"postgres", "prepare", "backup", "restore"}
    assert SERVICES["prepare"]["environment"]["DATABASE_URL_FILE"] == "/run/secrets/owner_url"
    (role,) = SERVICES["prepare"]["command"][2:]
    assert f"postgresql://{role}:" in (FOLDER / "setup.sh").read_text()


def is_secret(name: str) -> bool:
    return bool(re.search(r"PASSWORD|SECRET|SIGNING|DATABASE_URL|MAIL_URL", name))


def test_settings_are_those_of_the_platform() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "project").rglob("*.py"))
    for name in SERVICES["web"]["environment"]:
        assert f'"{name.removesuffix("_FILE")}"' in sources, name


def test_whatever_has_no_default_stands_in_the_files_that_set_up_writes() -> None:
    said = settings("env.example") | settings("images.env")
    wanted = variables(COMPOSE)
    assert {name for name, default in wanted.items() if default is None} <= set(said)
    assert set(settings("env.example")) <= set(wanted), "a setting that nobody reads"
    for name, default in wanted.items():
        if default and not default.startswith("$"):
            assert said.get(name, default) == default, name


@pytest.mark.parametrize("name", ["web", "worker"])
def test_what_is_under_way_has_its_grace_before_it_is_killed(name: str) -> None:
    said = SERVICES[name]
    assert int(said["environment"]["ESTEIRA_GRACE_S"]) + 10 <= int(said["stop_grace_period"].removesuffix("s"))


def test_engine_has_room_for_itself_beside_its_steps() -> None:
    said = settings("env.example")
    assert int(said["ENGINE_MEMORY"].removesuffix("g")) * 1024 - int(said["ENGINE_STEPS_MIB"]) >= 512


def test_engine_may_put_walls_around_steps_and_little_else() -> None:
    engine = SERVICES["engine"]
    assert engine["environment"]["ESTEIRA_STEP_ISOLATION"] == "${STEP_ISOLATION:-bubblewrap}", "it fails closed"
    assert {name for name, one in SERVICES.items() if len(one["security_opt"]) > 1} == {"engine"}
    (rule,) = json.loads((FOLDER / "engine-seccomp.json").read_text())["syscalls"]
    refused = set(rule["names"])
    assert rule["action"] == "SCMP_ACT_ERRNO"
    assert {"bpf", "kexec_load", "init_module", "ptrace", "keyctl", "open_by_handle_at", "userfaultfd"} <= refused
    assert not refused & {"clone", "clone3", "unshare", "mount", "umount2", "pivot_root", "setns"}


@pytest.mark.parametrize("script", sorted(ROOT.glob("deploy/images/system.sh")))
def test_image_has_the_walls_that_the_engine_insists_on(script: Path) -> None:
    assert re.search(r"^[^#]*install[^#]*\bbubblewrap\b", script.read_text(), re.MULTILINE)


def test_backups_can_read_the_files_and_change_none() -> None:
    assert "data:/data:ro" in SERVICES["backup"]["volumes"]
    assert SERVICES["backup"]["user"] == SERVICES["web"]["user"]
    assert "${BACKUP_DIR}:/backups:ro" in SERVICES["restore"]["volumes"]


def test_scripts_are_without_findings() -> None:
    scripts = [str(path.relative_to(ROOT)) for path in FOLDER.rglob("*.sh")]
    assert len(scripts) > 8
    checked = subprocess.run(
        [str(TOOLS / "shellcheck"), "--external-sources", "--source-path=.", *scripts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert [path for path in scripts if not os.access(ROOT / path, os.X_OK)] == ["deploy/compose/inside/common.sh"]


@pytest.fixture
def ours(tmp_path: Path) -> Server:
    made = server(tmp_path)
    done = made.run("setup.sh", "esteira.example.org", "you@example.org")
    assert done.returncode == 0, done.stderr
    made.said()
    return made


def test_set_up_makes_secrets_once_and_shows_them_to_nobody(ours: Server) -> None:
    secrets = ours.folder / "secrets"
    assert (secrets.stat().st_mode & 0o777, (ours.folder / ".env").stat().st_mode & 0o777) == (0o700, 0o600)
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in secrets.iterdir())
    assert made["owner_url"] == f"postgresql://esteira:{made['owner_password'].strip()}@postgres/esteira\n"
    assert made["database_url"] == f"postgresql://esteira_app:{made['app_password'].strip()}@postgres/esteira\n"
    assert len(made["secret_key"]) >= 32
    assert made["signing_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert len({made["postgres_password"], made["owner_password"], made["app_password"]}) == 3
    assert "DOMAIN=esteira.example.org\n" in (ours.folder / ".env").read_text()
    assert f"PLATFORM_IMAGE=esteira/platform:0.1.0@sha256:{'1' * 64}\n" in ours.lock()
    assert (ours.top / "backups").stat().st_uid == int(SERVICES["backup"]["user"].partition(":")[0])

    assert ours.run("setup.sh", "other.example.org", "you@example.org").returncode == 0

    assert {path.name: path.read_text() for path in secrets.iterdir()} == made
    assert "DOMAIN=esteira.example.org\n" in (ours.folder / ".env").read_text()


def test_settings_that_set_up_makes_are_taken_by_the_platform(ours: Server, tmp_path: Path) -> None:
    """But for the folder and the files' places, just what the web service is given."""
    given: dict[str, Any] = dict(SERVICES["web"]["environment"])
    said = settings("env.example") | {"DOMAIN": "esteira.example.org"}
    env = {name: filled(str(value), said) for name, value in given.items()}
    env = {name: value.replace("/run/secrets", str(ours.folder / "secrets")) for name, value in env.items()}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "project", "check"],
        env={"PATH": os.environ["PATH"], **env, "ESTEIRA_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def filled(text: str, said: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: said.get(found[1]) or found[2] or "", text)


def test_update_backs_up_first_and_runs_just_what_it_fetched(ours: Server) -> None:
    before = ours.lock()
    ours.new_images("2" * 64)

    assert ours.run("update.sh").returncode == 0

    said = [line for line in ours.said() if not line.startswith(("pull", "image"))]
    assert said[:2] == ["run --rm backup now", "run --rm prepare"]
    assert said[2].startswith("up -d --wait")
    assert "2" * 64 in ours.lock()
    assert (ours.folder / "images.lock.previous").read_text() == before
    assert "runs already" in ours.run("update.sh").stdout


def test_update_that_cannot_be_backed_up_is_none(ours: Server) -> None:
    before = ours.lock()
    ours.new_images("2" * 64)
    ours.failing("run --rm backup now")

    assert ours.run("update.sh").returncode != 0

    assert ours.lock() == before
    assert not [line for line in ours.said() if "prepare" in line or "up -d" in line]


@pytest.mark.parametrize("fault", ["run --rm prepare", "remove-orphans"])
def test_update_that_does_not_come_up_goes_back(ours: Server, fault: str) -> None:
    before = ours.lock()
    ours.new_images("2" * 64)
    ours.failing(fault)

    assert ours.run("update.sh").returncode == 1

    assert ours.lock() == before
    assert "--no-deps" in ours.said()[-1], "a rollback starts the services without migrating"
    assert ours.run("rollback.sh").returncode == 1, "there is nothing before it"


def test_rollback_runs_what_ran_before(ours: Server) -> None:
    before = ours.lock()
    ours.new_images("2" * 64)
    ours.run("update.sh")

    assert ours.run("rollback.sh").returncode == 0

    assert ours.lock() == before
    assert "2" * 64 in (ours.folder / "images.lock.undone").read_text()
    started = ours.said()[-1].partition("--no-deps ")[2].split()
    assert set(started) == set(SERVICES) - BY_HAND - {"prepare"}


def test_restore_stops_whoever_writes_and_starts_them_again(ours: Server) -> None:
    assert ours.run("restore.sh", "latest").returncode == 0
    said = ours.said()
    assert set(said[0].split()[1:]) == set(SERVICES) - BY_HAND - {"prepare", "postgres"}
    assert said[1:] == ["run --rm restore whole latest", "run --rm prepare", "up -d --wait"]

    ours.failing("restore whole")
    assert ours.run("restore.sh", "latest").returncode == 1
    assert ours.said()[-1] == "up -d --wait"
    assert ours.run("restore.sh").returncode == 2


def test_drill_cleans_up_and_says_what_the_platform_said(ours: Server) -> None:
    ours.failing("run --rm prepare manage drill")
    assert ours.run("drill.sh").returncode == 1
    assert ours.said() == [
        "run --rm restore into latest esteira_drill",
        "run --rm prepare manage drill --restored esteira_drill",
        "run --rm restore drop esteira_drill",
    ]
