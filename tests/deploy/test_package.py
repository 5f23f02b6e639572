"""The wheel: all of the platform and nothing else, the same bytes each time, and enough to run it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from project.embedded.account import Account, choose_account
from project.embedded.uv import environment
from tests.live.platform import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("api_app", "frontend_app", "orchestration", "project")
UV: Final = Path(sys.executable).with_name("uv")
INFO: Final = "esteira-{}.dist-info/"


def built(source: Path, target: Path, *kinds: str) -> Path:
    """By the backend that is installed here: nothing is fetched."""
    options = ["--no-build-isolation", "--python", sys.executable, "--quiet", "-o", str(target)]
    subprocess.run([str(UV), "build", *kinds, *options, str(source)], env=environment(), check=True)
    (found,) = [path for path in target.iterdir() if path.suffix in {".whl", ".gz"}]
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return read


def in_the_tree(*folders: str) -> set[str]:
    """What the repository has there, or would have if it were added now."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *folders]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in said.split("\0") if name and (ROOT / name).is_file()}


def test_wheel_has_every_file_of_the_platform_and_nothing_else(wheel: Path, project: dict[str, Any]) -> None:
    info = INFO.format(project["version"])
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        different = [
            name for name in names if not name.startswith(info) and archive.read(name) != (ROOT / name).read_bytes()
        ]
    assert {name for name in names if not name.startswith(info)} == in_the_tree(*PACKAGES)
    assert different == []
    assert f"{info}licenses/LICENSE" in names
    # The kinds that a build may leave out without anybody seeing it before the first page.
    for part in (
        "frontend_app/templates/account/login.html",
        "frontend_app/static/frontend_app/esteira.css",
        "project/locale/pt_BR/LC_MESSAGES/django.mo",
        "orchestration/migrations/0001_initial.py",
        "orchestration/pipelines/tabular-profile/pipeline.yaml",
        "orchestration/runner/__main__.py",
        "orchestration/samples/penguins.csv",
        "orchestration/cost/prices.yaml",
        "project/__main__.py",
    ):
        assert part in names


def test_the_same_sources_give_the_same_wheel_on_any_day_and_by_way_of_the_sdist(wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in in_the_tree(*PACKAGES, "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "manage.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
        os.utime(copy / name, (1_000_000_000, 1_000_000_000))
    source = built(copy, tmp_path / "sdist", "--sdist")
    with tarfile.open(source) as archive:
        assert not [name for name in archive.getnames() if "/tests/" in name or "/var/" in name or "/.git/" in name]
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()

    again = [built(copy, tmp_path / "again", "--wheel"), built(unpacked, tmp_path / "of-sdist", "--wheel")]

    assert {digest(one) for one in again} == {digest(wheel)}


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_wheel_says_what_pyproject_says(wheel: Path, project: dict[str, Any]) -> None:
    info = INFO.format(project["version"])
    with zipfile.ZipFile(wheel) as archive:
        said = Parser().parsestr(archive.read(f"{info}METADATA").decode())
        commands = archive.read(f"{info}entry_points.txt").decode()
    assert said["Version"] == project["version"]
    assert len(said.get_all("Requires-Dist", [])) == len(project["dependencies"])
    assert not [one for one in said.get_all("Requires-Dist", []) if one.startswith(("hatchling", "pytest"))]
    assert "esteira = api_app.client.cli:main" in commands
    of_typescript = json.loads((ROOT / "clients/typescript/package.json").read_text(encoding="utf-8"))
    assert of_typescript["version"] == project["version"], "both clients are released together"


@pytest.mark.parametrize("words", [("-m", "api_app.client", "manage", "help"), ("-m", "project.work", "--version")])
def test_folder_called_project_where_somebody_stands_is_not_ours(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/__init__.py").write_text("raise SystemExit('this is not the platform')\n")
    done = subprocess.run([sys.executable, "-P", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place() -> Iterator[Path]:
    """That everybody may enter, as the database's and an ordinary user's account have to."""
    folder = Path(tempfile.mkdtemp(prefix="esteira-wheel-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def interpreter_for(account: Account, place: Path) -> Path:
    """Ours, or a copy where it lies in somebody's private folder."""
    real = Path(sys.executable).resolve()
    if not account.is_somebody_else or account.can_run(real):
        return real
    prefix, library = real.parents[1], f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    unneeded = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "idlelib")
    shutil.copytree(prefix / library, place / "python" / library, ignore=unneeded, symlinks=True)
    for shared in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy(shared, place / "python/lib")
    (place / "python/bin").mkdir()
    copy = Path(shutil.copy(real, place / "python/bin" / real.name))
    # Where it looks for its library: beside itself, and no longer in the folder that the account cannot enter.
    private, beside = os.fsencode(prefix / "lib"), b"$ORIGIN/../lib"
    copy.write_bytes(copy.read_bytes().replace(private + b"\0", beside.ljust(len(private) + 1, b"\0")))
    return copy


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_newcomer_installs_the_wheel_and_runs_a_job(wheel: Path, place: Path, campaign: str) -> None:
    if campaign != "full":
        pytest.skip("installs everything anew: make deploy-check")
    account = choose_account(owners=[])
    venv = place / "venv"
    python = interpreter_for(account, place)
    pins = ROOT / "deploy/requirements/runtime.txt"
    for command in (
        f"venv --no-project --python {python} {venv}",
        f"pip install --python {venv} --require-hashes -r {pins}",
        f"pip install --python {venv} --no-deps {wheel}",
    ):
        subprocess.run([str(UV), *command.split(), "--quiet"], env=environment(), cwd=place, check=True)
    before = {path for path in venv.rglob("*") if "__pycache__" not in path.parts}
    home, here = place / "home", place / "here"
    for folder in (home, here):
        folder.mkdir()
        account.give(folder, 0o755)
    # Of somebody who has a package of that name where she stands.
    (here / "project").mkdir()
    (here / "project/__init__.py").write_text("raise SystemExit('this is not the platform')\n")
    port = free_port()
    env = {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(home), "ESTEIRA_PORT": str(port)}

    own = str(venv / "bin/esteira")
    somebody = account.child_identity()

    def esteira(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [own, *words], env=env, cwd=here, capture_output=True, text=True, check=False, timeout=120, **somebody
        )

    assert "up" in esteira("--help").stdout
    said = place / "said"
    with said.open("w") as out:
        up = subprocess.Popen([own, "up"], env=env, cwd=here, stdout=out, stderr=subprocess.STDOUT, **somebody)
    try:
        deadline = time.monotonic() + 180
        while "Esteira is running" not in said.read_text():
            assert up.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        assert str(home / ".local/share/esteira") in said.read_text()
        assert "SUCCEEDED" in said.read_text()

        (here / "table.csv").write_text("name,age\nana,41\nbruno,33\n")
        job = json.loads(esteira("run", "tabular-profile", "table.csv", "--watch", "--json").stdout.splitlines()[-1])
        assert job["state"] == "SUCCEEDED"
        assert esteira("download", job["id"], "-o", str(home / "out")).returncode == 0
        assert list((home / "out").rglob("report.html"))
        looked = esteira("manage", "doctor")
        assert looked.returncode == 0, looked.stdout
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            assert http.get("/static/frontend_app/esteira.css").status_code == 200
            page = http.get("/", headers={"Accept-Language": "pt-BR"}, follow_redirects=True)
            assert 'lang="pt-br"' in page.text.lower()
            assert "Entrar" in page.text
    finally:
        up.send_signal(signal.SIGINT)
        ended = up.wait(60)
    assert ended == 0, said.read_text()
    assert {path.name for path in here.iterdir()} == {"project", "table.csv"}
    assert {path for path in venv.rglob("*") if "__pycache__" not in path.parts} == before
