"""A server that starts, is found again, crashes and comes back."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from project.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from project.embedded.throwaway import throwaway

REPO = Path(__file__).parents[2]
START = """
import sys, time
from pathlib import Path
from project.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
"""


def value(url: str, sql: str) -> object:
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(sql.encode()).fetchone()  # bytes: psycopg wants a literal otherwise
    assert row
    return row[0]


def starter(home: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + code, str(home)],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
    )


def pid_of(server: EmbeddedPostgres) -> int:
    pid = server.status().pid
    assert pid
    return pid


def test_server_starts_stops_and_keeps_its_data(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.ensure_running()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert server.status().state == "stopped"

    began = time.monotonic()
    url = server.ensure_running()

    assert time.monotonic() - began < 1  # 0.05 s on a quiet machine
    assert value(url, "SELECT answer FROM kept") == 42
    assert value(url, "SELECT current_setting('data_checksums') || current_setting('fsync')") == "onon"
    assert value(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_other_process_finds_the_running_server(server: EmbeddedPostgres, home: Path) -> None:
    url = server.ensure_running()

    again = EmbeddedPostgres(home)

    assert again.ensure_running() == again.url == url
    assert (home / "postgres" / "url").read_text() == url
    assert pid_of(again) == pid_of(server)


def test_server_outlives_whoever_started_it(server: EmbeddedPostgres, home: Path) -> None:
    code = "print(server.ensure_running(), flush=True); time.sleep(60)"
    parent = starter(home, code)
    assert parent.stdout
    url = parent.stdout.readline().strip()
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert server.ensure_running() == url
    assert value(url, "SELECT 1") == 1


@pytest.mark.parametrize("after_ms", [50, 250, 500])
def test_starter_killed_at_any_moment_leaves_nothing_half_made(
    new_server: EmbeddedPostgres, home: Path, after_ms: int
) -> None:
    parent = starter(home, "print(flush=True); server.ensure_running()")
    assert parent.stdout
    parent.stdout.readline()
    time.sleep(after_ms / 1000)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert value(new_server.ensure_running(), "SELECT 1") == 1
    assert not list((home / "postgres").glob("data.new-*"))


def test_killed_server_recovers_what_was_committed(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.ensure_running()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(pid_of(server), signal.SIGKILL)
    wait_for_state(server, "stopped")

    assert value(server.ensure_running(), "SELECT answer FROM kept") == 42


def wait_for_state(server: EmbeddedPostgres, state: str) -> None:
    deadline = time.monotonic() + 5
    while server.status().state != state:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("impostor", ["a program", "a program that names the folder", "another server"])
def test_reused_pid_is_not_believed(server: EmbeddedPostgres, home: Path, impostor: str) -> None:
    server.ensure_running()
    noted = home / "postgres" / "data" / "postmaster.pid"
    lines = noted.read_text().splitlines()
    server.stop()
    if impostor != "another server":
        words = [str(noted.parent)] if impostor == "a program that names the folder" else []
        identity = {"user": noted.parent.stat().st_uid} if os.geteuid() == 0 else {}
        command = ["/bin/sh", "-c", "read line; :", *words]
        with subprocess.Popen(command, stdin=subprocess.PIPE, **identity) as other:  # type: ignore[call-overload]
            check_not_believed(server, noted, lines, other.pid)
            other.kill()
    else:
        with throwaway() as other_server:
            check_not_believed(server, noted, lines, pid_of(other_server))


def check_not_believed(server: EmbeddedPostgres, noted: Path, lines: list[str], pid: int) -> None:
    noted.write_text("\n".join([str(pid), *lines[1:], ""]))
    assert server.status().state == "stopped"
    server.stop()  # must not hurt the innocent process
    os.kill(pid, 0)
    assert value(server.ensure_running(), "SELECT 1") == 1
    assert pid_of(server) != pid


def test_many_starters_start_one_server(new_server: EmbeddedPostgres, home: Path) -> None:
    starters = [starter(home, "print(server.ensure_running())") for _ in range(4)]
    urls = {parent.communicate(timeout=60)[0].strip() for parent in starters}

    assert urls == {new_server.url}
    assert [parent.returncode for parent in starters] == [0] * 4


def test_threads_of_one_process_start_one_server(server: EmbeddedPostgres) -> None:
    urls: list[str] = []
    threads = [
        threading.Thread(target=lambda: urls.append(EmbeddedPostgres(server.home).ensure_running())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(urls) == 4
    assert len(set(urls)) == 1


def test_two_homes_do_not_meet(server: EmbeddedPostgres) -> None:
    with throwaway() as other:
        assert server.ensure_running() != other.url
        assert pid_of(server) != pid_of(other)


def test_lost_password_file_is_mended_at_the_next_start(server: EmbeddedPostgres, home: Path) -> None:
    server.ensure_running()
    (home / "postgres" / "password-esteira").unlink()
    with pytest.raises(EmbeddedPostgresError, match="Stop Esteira and start it again"):
        server.ensure_running()
    server.stop()

    assert value(server.ensure_running(), "SELECT 1") == 1


def test_database_is_made_once_whatever_its_name() -> None:
    with throwaway() as server:
        url = server.create_database('Größe "1"')
        assert server.create_database('Größe "1"') == url
        assert value(url, "SELECT current_database()") == 'Größe "1"'


def test_throwaway_of_a_killed_test_run_is_swept(home: Path) -> None:
    code = (
        "from project.embedded.throwaway import throwaway; run = throwaway(); pg = run.__enter__(); "
        "print(pg.home, flush=True); time.sleep(60)"
    )
    run = starter(home, code)
    assert run.stdout
    left = Path(run.stdout.readline().strip())
    run.kill()
    run.wait()
    run.stdout.close()
    assert EmbeddedPostgres(left).status().state == "running"

    with throwaway():
        assert not left.exists()


def test_old_logs_are_dropped(server: EmbeddedPostgres) -> None:
    server.ensure_running()
    log = server.status().log
    for hour in range(20):
        (log / f"server-20200101-{hour:02}0000.log").touch()
    server.ensure_running()

    assert len(list(log.glob("server-*.log"))) == 5
