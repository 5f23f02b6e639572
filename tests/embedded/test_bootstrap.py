"""Set-up on machines that lack things, get interrupted, or run it twice at once."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from project.embedded import debian, interpreter, pins, uv
from project.embedded.bootstrap import REPO, Setup, ensure
from project.embedded.console import GiveUp

VERSION = "{}.{}".format(*sys.version_info[:2])
SYSTEM_PATH = "/usr/bin:/bin"
FAKE_UV = """#!/bin/sh
[ "$1" = --version ] && { echo "uv 0.13.9"; exit; }
echo "$@" >> "$UV_LOG"
sleep "${UV_TAKES:-0}"
[ "$1" = pip ] && [ -e "$UV_LOG.broken" ] && { echo "no such package" >&2; exit 1; }
if [ "$1" = venv ]; then
    for venv; do :; done
    rm -rf "$venv"; mkdir -p "$venv/bin"; ln -s "$UV_PYTHON_FOR_TEST" "$venv/bin/python"
fi
"""


def script(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def old_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if set-up ran on the system's older Python, with nothing of use in the usual places."""
    monkeypatch.setattr(interpreter, "sys", SimpleNamespace(version_info=(3, 11), executable="/none"))
    monkeypatch.setattr(interpreter, "USUAL_FOLDERS", ())
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("pwd.getpwuid", lambda _uid: SimpleNamespace(pw_dir="/none"))


def broken_shim(folder: Path) -> str:
    script(folder / f"python{VERSION}", "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    return str(folder)


def real_python(path: Path) -> Path:
    return script(path, f'#!/bin/sh\nexec {sys.executable} "$@"\n')


@pytest.mark.usefixtures("old_python")
def test_shim_that_fails_does_not_hide_the_python_behind_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    works = real_python(tmp_path / "bin" / f"python{VERSION}").parent
    monkeypatch.setenv("PATH", f"{broken_shim(tmp_path / 'shims')}:{works}")

    found = interpreter.find_interpreter(VERSION)

    assert found
    assert interpreter.probe(found, VERSION) == found


@pytest.mark.usefixtures("old_python")
def test_python_of_pyenv_is_found_through_its_shims_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", broken_shim(tmp_path / "pyenv" / "shims"))
    assert interpreter.find_interpreter(VERSION) is None

    for patch in ("9", "10"):
        real_python(tmp_path / "pyenv" / "versions" / f"{VERSION}.{patch}" / "bin" / f"python{VERSION}")

    assert interpreter.find_interpreter(VERSION)


@pytest.mark.usefixtures("old_python")
def test_other_version_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real_python(tmp_path / "bin" / "python3")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert interpreter.find_interpreter("2.7") is None


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repo = tmp_path / "clone"
    (repo / "deploy/requirements").mkdir(parents=True)
    for name in ("pyproject.toml", ".python-version", "deploy/requirements/dev.txt"):
        shutil.copy(REPO / name, repo / name)
    script(tmp_path / "bin" / "uv", FAKE_UV)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{SYSTEM_PATH}")
    monkeypatch.setenv("UV_LOG", str(tmp_path / "uv.log"))
    monkeypatch.setenv("UV_PYTHON_FOR_TEST", sys.executable)
    return repo


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    def read() -> list[str]:
        log = tmp_path / "uv.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [" ".join(line.split()[: 2 if line.startswith("pip") else 1]) for line in lines]

    return read


def test_second_set_up_does_nothing_and_is_quick(clone: Path, calls: Callable[[], list[str]]) -> None:
    Setup(clone).run()
    assert calls() == ["venv", "pip sync", "pip install"]

    began = time.monotonic()
    Setup(clone).run()

    assert time.monotonic() - began < 0.1
    assert calls() == []


def test_new_pins_are_installed_into_the_venv_that_is_there(clone: Path, calls: Callable[[], list[str]]) -> None:
    Setup(clone).run()
    calls()
    with (clone / "deploy/requirements/dev.txt").open("a") as requirements:
        requirements.write("# changed\n")

    Setup(clone).run()

    assert calls() == ["pip sync", "pip install"]


def test_interrupted_set_up_is_made_anew_by_the_next(
    clone: Path, tmp_path: Path, calls: Callable[[], list[str]]
) -> None:
    broken = tmp_path / "uv.log.broken"
    broken.touch()
    with pytest.raises(GiveUp, match="no such package"):
        Setup(clone).run()
    broken.unlink()
    calls()

    Setup(clone).run()

    assert calls() == ["venv", "pip sync", "pip install"]


def test_venv_whose_python_is_gone_is_made_anew(clone: Path, calls: Callable[[], list[str]]) -> None:
    Setup(clone).run()
    calls()
    python = clone / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/none")

    Setup(clone).run()

    assert calls()[0] == "venv"


def test_set_ups_at_the_same_time_take_turns(
    clone: Path, monkeypatch: pytest.MonkeyPatch, calls: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("UV_TAKES", "0.1")
    threads = [threading.Thread(target=Setup(clone).run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls() == ["venv", "pip sync", "pip install"]


@pytest.mark.parametrize("home", [None, "/dev/null/nowhere"])
def test_cache_of_a_person_without_a_home_lies_in_the_clone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None
) -> None:
    for name in ("HOME", "UV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    if home:
        monkeypatch.setenv("HOME", home)

    assert uv.environment(spare_cache=tmp_path)["UV_CACHE_DIR"] == str(tmp_path / "cache")

    monkeypatch.setenv("HOME", str(tmp_path))
    assert "UV_CACHE_DIR" not in uv.environment(spare_cache=tmp_path)


def test_old_uv_is_not_used(clone: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "uv", "#!/bin/sh\necho 'uv 0.4.1'\n")
    kept = script(clone / "build/setup/uv/bin/uv", FAKE_UV)

    found = uv.find_uv(work=clone / "build/setup", requirements=clone / "deploy/requirements/dev.txt", pythons=[])

    assert found == kept


def test_machine_without_pip_is_told_what_to_install(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin" / "uv").unlink()
    monkeypatch.setattr(uv, "_works", lambda _command: False)
    monkeypatch.setattr(debian, "can_install", lambda: False)

    with pytest.raises(GiveUp, match="neither uv nor pip"):
        Setup(clone).run()
    assert not list((clone / "build/setup").glob("uv*"))


def test_missing_program_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/none")

    ensure(["chromium"], optional=True)

    assert "`apt-get install chromium` as root" in capsys.readouterr().out
    with pytest.raises(GiveUp, match="Chromium is missing"):
        ensure(["chromium"], optional=False)


@pytest.mark.parametrize("python", [sys.executable, "/usr/bin/python3"])
def test_set_up_needs_only_the_standard_library(python: str) -> None:
    if not os.access(python, os.X_OK):
        pytest.skip("this machine has no system Python")
    done = subprocess.run(
        [python, "-S", "-m", "project.embedded.bootstrap", "--help"],
        cwd=REPO,
        env={"PATH": SYSTEM_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_requirement_files_that_lag_behind_are_noticed(clone: Path) -> None:
    for file in pins.FILES:
        shutil.copy(REPO / file, clone / file)
    assert list(pins.problems(clone)) == []

    project = (clone / "pyproject.toml").read_text()
    (clone / "pyproject.toml").write_text(project.replace('"kombu>=5.7,<5.8",', '"kombu>=99",\n    "never-pinned>=1",'))

    found = "\n".join(pins.problems(clone))
    assert "pins kombu" in found
    assert "does not pin never-pinned" in found


def test_steps_with_another_package_than_the_platform_are_noticed(clone: Path) -> None:
    for file in pins.FILES:
        shutil.copy(REPO / file, clone / file)
    steps = clone / pins.STEPS
    steps.write_text(re.sub("^pillow==[^ ]+", "pillow==1.0", steps.read_text(), flags=re.MULTILINE))

    assert "another pillow" in "\n".join(pins.problems(clone))


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    targets = (REPO / "Makefile").read_text().split(".PHONY: ")[1].splitlines()[0].split()

    assert [name for name in targets if f"make {name}" not in listed] == []


def test_server_is_found_that_an_ordinary_path_does_not_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(debian, "SERVERS", str(tmp_path / "sbin"))
    server = script(tmp_path / "sbin" / "clamd", "#!/bin/sh\n")

    assert debian.CLAMD.path() == str(server)
