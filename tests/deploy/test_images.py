"""What the images are made of, and in the full campaign the images: built, looked into, started, worked with."""

from __future__ import annotations

import ast
import gzip
import itertools
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

from orchestration.engines.step_functions.definition import NOBODY, RUNNER, WORK
from orchestration.services.pipelines import BUILT_IN, load
from project.embedded import debian
from project.embedded.throwaway import throwaway
from tests.deploy.images import BASE, CERTIFICATES, FOLDER, ROOT, Image, Store
from tests.infra import linters
from tests.live.platform import TERMINAL, free_port
from tests.runner.fake import TOKEN, serving, source
from tests.runner.fake import Platform as Fake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
STAGES = dict(re.findall(r"^FROM \S+ AS ([a-z-]+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
SHIPPED = ("platform", "steps")
MB = 1_000_000
MOST_PULLED = 125 * MB
MOST_UNPACKED = {"platform": 340 * MB, "steps": 190 * MB}
BUILD_TOOLS = re.compile(r"/(gcc|g\+\+|cc1|cc|c\+\+|ld|as|make|pip3?|uv|uvx|apt|apt-get|git|curl|wget)(-?[0-9.]*)$")
SAMPLE = ROOT / "orchestration" / "samples" / "penguins.csv"
VOLUME = "/var/lib/esteira"
SOCKETS = f"{WORK}/postgresql"
SECRET_KEY = "only-for-tests-" + "1" * 32
PATIENCE_S = 300
BUILT = pytest.mark.timeout(3_600)


def test_linters_have_nothing_to_say() -> None:
    for command in (["hadolint", "Dockerfile"], ["shellcheck", *sorted(path.name for path in FOLDER.glob("*.sh"))]):
        program = str(ROOT / ".venv" / "bin" / command[0])
        done = subprocess.run([program, *command[1:]], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_what_images_stand_on_is_named_by_version_and_digest() -> None:
    named = dict(re.findall(r"^ARG (BASE|UV)=(.*)$", DOCKERFILE, re.MULTILINE))
    assert re.fullmatch(r"[a-z0-9./-]+:[0-9][a-z0-9.-]+@sha256:[0-9a-f]{64}", named["BASE"])
    assert named["UV"] in STAGES, "which installs it by its hash"
    stands_on = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(stands_on) - {"scratch", *STAGES} == {"${BASE}", "${UV}"}
    assert f":{(ROOT / '.python-version').read_text().strip()}." in named["BASE"]


def test_only_what_images_need_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    admitted = {line[1:] for line in rules if line.startswith("!")}
    assert rules[0] == "*"
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for words in copied for source in words.split()}
    assert admitted == {"deploy/requirements" if s.startswith("deploy/req") else s for s in sources} - {
        "orchestration/runner"
    }
    assert all((ROOT / source).exists() for source in admitted)


@pytest.mark.parametrize("stage", SHIPPED)
def test_shipped_image_is_nobodys_root_and_says_what_it_is(stage: str) -> None:
    lines = STAGES["shipped"] + STAGES[stage]
    assert f"FROM shipped AS {stage}\n" in DOCKERFILE
    assert re.findall(r"^USER (.*)$", lines, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in lines
    for label in ("title", "description", "licenses", "version", "revision", "source"):
        assert f"org.opencontainers.image.{label}=" in lines
    assert "--mount" not in lines
    assert "RUN" not in lines, "what is shipped is copied from stages, whole"


def test_steps_find_the_runner_where_job_definitions_say() -> None:
    steps = STAGES["steps"]
    assert f"/opt/esteira/runner.pyz {RUNNER[3]}\n" in steps
    assert json.loads(re.findall(r"^CMD (.*)$", steps, re.MULTILINE)[0]) == list(RUNNER)
    assert "ENTRYPOINT" not in steps, "Batch would put it before the job definition's command"
    assert f"HOME={WORK} " in DOCKERFILE


def test_registry_has_a_place_for_each_image() -> None:
    for env in ("prod", "staging"):
        text = (ROOT / "deploy" / "terraform" / "envs" / env / "cluster.tf").read_text()
        (repositories,) = re.findall(r"repositories = \{(.*)\}$", text, re.MULTILINE)
        assert re.findall(r"(\w+) = \{", repositories) == list(SHIPPED)


def test_steps_have_every_package_that_built_in_pipelines_import() -> None:
    known = {"PIL": "pillow"}
    group = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["steps"])
    pipelines = ROOT / "orchestration" / "pipelines"
    own = {path.name for path in pipelines.glob("*/*") if path.is_dir()}
    imported = {name for file in pipelines.rglob("*.py") for name in _imports(file)}
    assert {known.get(name, name) for name in imported - sys.stdlib_module_names - own} == group


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_nothing_that_is_used_is_taken_out_of_packages() -> None:
    slim = runpy.run_path(str(FOLDER / "slim.py"))
    clients = "\n".join(file.read_text() for file in (ROOT / "orchestration").rglob("*.py"))
    named = set(re.findall(r'\.client\(\s*"([a-z0-9]+)"', clients))
    (services,) = re.findall(r"type Service = Literal\[(.*)\]", clients)
    assert slim["SERVICES"] == named | set(re.findall(r'"(\w+)"', services)) | {"sts"}
    kept = {name.lower().replace("_", "-") for name in slim["LANGUAGES"]}
    assert {code for code, _ in settings.LANGUAGES} <= kept


def test_example_of_the_docs_is_a_good_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(example())
    hadolint = str(ROOT / ".venv" / "bin" / "hadolint")
    done = subprocess.run([hadolint, tmp_path / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def example() -> str:
    (text,) = re.findall(r"```dockerfile\n(.*?)```", (ROOT / "docs" / "images.md").read_text(), re.DOTALL)
    return str(text)


# From here on: the full campaign.


@BUILT
def test_scanners_have_nothing_to_say(campaign: str) -> None:
    if campaign != "full":
        pytest.skip("make deploy-check asks checkov and trivy, which take minutes: --campaign=full")
    command = [linters.UV, "tool", "run", "--quiet", "--from", linters.CHECKOV, "checkov", "--directory", str(FOLDER)]
    how = ["--framework", "dockerfile", "--skip-download", "--quiet", "--compact"]
    done = subprocess.run([*command, *how], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    assert linters.trivy(FOLDER) == ""


@pytest.fixture(scope="module")
def store(campaign: str) -> Iterator[Store]:
    if campaign != "full":
        pytest.skip("make deploy-check builds the images: --campaign=full")
    for program in (debian.BUILDAH, debian.DEBOOTSTRAP, debian.BUBBLEWRAP):
        if debian.ensure(program) is None:
            pytest.skip(f"this machine has no {program.title}")
    if os.geteuid():
        pytest.skip("images are built by root here")
    store = Store()
    try:
        store.make_base()
        store.build(*SHIPPED, "runner")
        yield store
    finally:
        store.close()


@pytest.fixture(scope="module")
def images(store: Store) -> dict[str, Image]:
    return {name: _image(store, f"esteira/{name}:test") for name in SHIPPED}


def _image(store: Store, name: str) -> Image:
    return Image(store.mount(name), store.about(name)["OCIv1"]["config"])


@BUILT
def test_images_are_no_larger_than_the_docs_say(store: Store, record_property: Any) -> None:
    for name in SHIPPED:
        saved = store.save(f"esteira/{name}:test")
        manifest = _blob(saved, json.loads((saved / "index.json").read_text())["manifests"][0]["digest"])
        layers = json.loads(manifest)["layers"]
        pulled = sum(layer["size"] for layer in layers)
        unpacked = sum(len(gzip.decompress(_blob(saved, layer["digest"]))) for layer in layers)
        record_property(f"{name}_mb", (round(pulled / MB), round(unpacked / MB)))
        print(f"\n{name}: {pulled / MB:.0f} MB pulled, {unpacked / MB:.0f} MB unpacked, {len(layers)} layers")
        assert pulled < MOST_PULLED
        assert unpacked < MOST_UNPACKED[name]


def _blob(saved: Path, digest: str) -> bytes:
    return (saved / "blobs" / digest.replace(":", "/")).read_bytes()


@BUILT
@pytest.mark.parametrize("name", SHIPPED)
def test_image_holds_nothing_to_build_with_and_no_secret(store: Store, images: dict[str, Image], name: str) -> None:
    root = images[name].root
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    inside = [f"/{path.relative_to(root)}" for path in files]
    assert [path for path in inside if BUILD_TOOLS.search(path) and "/bin/" in path] == []
    assert [path for path in inside if "/site-packages/pip/" in path or "/ensurepip/" in path] == []
    assert [path for path in inside if "/.git/" in path or re.search(r"/\.env|/tests/conftest|\.tfstate", path)] == []
    assert [path for path in files if path.stat().st_mode & 0o6000] == [], "nobody becomes somebody else"
    # Of the machine that built it: neither where its packages come from nor what it is trusted by.
    lent = [line for line in (store.folder / "uv.toml").read_bytes().splitlines() if line]
    lent += sorted(set(CERTIFICATES.read_bytes().splitlines()) - _debians_own(root))[:40]
    canaries = [*lent, b"PRIVATE KEY-----\nMI", str(ROOT).encode()]
    app = [path for path in files if "/opt/esteira/app" in str(path) or "/etc/" in str(path)]
    assert [(path, c) for path, c in itertools.product(app, canaries) if c in path.read_bytes()] == []
    ours = [(path, path.lstat()) for path in (root / "opt").rglob("*") if not path.is_symlink()]
    assert [path for path, is_ in ours if is_.st_uid or is_.st_mode & 0o022] == [], "root alone can change it"


def _debians_own(root: Path) -> set[bytes]:
    return set((root / str(CERTIFICATES).lstrip("/")).read_bytes().splitlines())


@BUILT
@pytest.mark.parametrize("name", SHIPPED)
def test_image_lists_what_is_in_it(images: dict[str, Image], name: str) -> None:
    root = images[name].root
    listed = json.loads((root / "opt/esteira/sbom.cdx.json").read_text())
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    purls = {component["purl"].partition("?")[0] for component in listed["components"] if "purl" in component}
    packages = (root / "opt/esteira/venv/lib").glob("python3*/site-packages/*.dist-info/METADATA")
    there = {re.findall(r"^Name: (.*)$", file.read_text(), re.MULTILINE)[0].lower() for file in packages}
    assert {re.sub("[-_.]+", "-", one) for one in there} - {"esteira"} <= {
        re.sub("[-_.]+", "-", one.removeprefix("pkg:pypi/").partition("@")[0]) for one in purls
    }
    status = (root / "var/lib/dpkg/status").read_text()
    debs = {(stanza["Package"], stanza["Version"]) for stanza in _stanzas(status)}
    named = {(c["name"], c["version"]) for c in listed["components"] if c.get("purl", "").startswith("pkg:deb/")}
    assert named == debs
    assert any(purl.startswith("pkg:generic/python@3.13.") for purl in purls)


def _stanzas(status: str) -> Iterator[dict[str, str]]:
    for stanza in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", stanza, re.MULTILINE))
        if fields["Status"].endswith(" installed"):
            yield fields


@BUILT
def test_second_build_gives_the_same_layers(store: Store) -> None:
    before = {name: store.layers(f"esteira/{name}:test") for name in SHIPPED}
    store.build(*SHIPPED, tag="again", more="--no-cache")
    again = {name: store.layers(f"esteira/{name}:again") for name in SHIPPED}
    assert again == before


@BUILT
def test_both_images_have_the_same_python_at_the_same_place(images: dict[str, Image]) -> None:
    """The platform tells a step on Batch where its Python is, by where its own is."""
    asked = ["-c", "import sys; print(sys.executable, sys.version)"]
    said = {
        name: subprocess.run(
            image.command(["python", *asked], entrypoint=False), capture_output=True, text=True, check=True
        ).stdout
        for name, image in images.items()
    }
    assert said["platform"].startswith("/opt/esteira/venv/bin/python ")
    assert said["steps"] == said["platform"]


class Containers:
    """Those of one platform: a database, a folder that outlives them, and processes by name."""

    def __init__(self, image: Image, database_url: str, home: Path, sockets: Path) -> None:
        self._image, self.home, self._sockets = image, home, sockets
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            "DATABASE_URL": database_url.replace(str(sockets), SOCKETS),
            "ESTEIRA_PORT": str(self.port),
            "ESTEIRA_PUBLIC_URL": self.url,
            "ESTEIRA_SECRET_KEY": SECRET_KEY,
            "ESTEIRA_HOME": VOLUME,
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def command(self, *words: str, env: Mapping[str, str] | None = None) -> list[str]:
        """With an environment of its own a container has nothing of the others' but the database."""
        binds = {self._sockets: SOCKETS} | ({} if env else {self.home: VOLUME})
        return self._image.command(words, env=self._env | dict(env or {}), volumes=binds)

    def start(self, name: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        command = self.command(name, env=env)
        with (self.home.parent / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={})
        self._started.append(process)
        return process

    def run(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, timeout=PATIENCE_S, env={}
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return done.stdout

    def wait_until_ready(self, url: str = "") -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{url or self.url}/health/ready", timeout=5, trust_env=False)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError(self.logs())

    def logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2_000:]}" for log in self.home.parent.glob("*.log"))

    def close(self) -> None:
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait(timeout=PATIENCE_S)

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        token = json.loads((self.home / "cli.json").read_text())["token"]
        headers = {"Authorization": f"Bearer {token}", **kwargs.pop("headers", {})}
        answer = httpx.request(
            method, f"{self.url}/api/v1{path}", headers=headers, timeout=30, trust_env=False, **kwargs
        )
        assert answer.status_code < 300, answer.text + self.logs()
        return answer.json()

    def submit_sample(self) -> str:
        file = self.call("POST", "/uploads", params={"name": SAMPLE.name}, content=SAMPLE.read_bytes())["file"]
        body = {"pipeline": "tabular-profile", "inputs": [file["id"]]}
        return str(self.call("POST", "/jobs", json=body, headers={"Idempotency-Key": uuid4().hex})["id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while (job := self.call("GET", f"/jobs/{job_id}"))["state"] not in TERMINAL:
            assert time.monotonic() < deadline, f"{job}\n{self.logs()}"
            time.sleep(0.2)
        return dict(job)


@pytest.fixture
def platform(images: dict[str, Image], tmp_path: Path) -> Iterator[Containers]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 10_001, 10_001)
    with throwaway() as postgres, ExitStack() as stack:
        containers = Containers(images["platform"], postgres.url, home, _sockets(postgres.url))
        stack.callback(containers.close)
        containers.run("prepare")
        yield containers


def _sockets(url: str) -> Path:
    """Of a server that is otherwise for its own account and root alone."""
    folder = Path(str(conninfo_to_dict(url)["host"]))
    folder.chmod(0o711)
    return folder


@BUILT
def test_platform_of_containers_that_cannot_write_runs_a_job(platform: Containers) -> None:
    for name in ("web", "worker", "beat", "engine"):
        platform.start(name)
    platform.wait_until_ready()
    job = platform.ended(platform.submit_sample())
    assert job["state"] == "SUCCEEDED", job
    assert any(file["name"].endswith(".parquet") for file in job["results"]), job["results"]
    login = httpx.get(f"{platform.url}/", follow_redirects=True, trust_env=False)
    sheet = re.findall(r'href="(/static/[^"]+\.css)"', login.text)[0]
    assert httpx.get(platform.url + sheet, trust_env=False).status_code == 200
    assert platform.run("healthy") == ""


@BUILT
def test_web_needs_no_more_than_a_tmp_to_write_to(platform: Containers) -> None:
    port = free_port()
    env = {"ESTEIRA_HOME": f"{WORK}/esteira", "ESTEIRA_PORT": str(port)}
    web = platform.start("web", env)
    platform.wait_until_ready(f"http://127.0.0.1:{port}")
    (status,) = [path for path in _below(web.pid) if b"project.serve" in (path / "cmdline").read_bytes()]
    told = dict(line.split(":\t", 1) for line in (status / "status").read_text().splitlines())
    assert told["Uid"].split() == told["Gid"].split() == ["10001"] * 4
    assert (told["CapEff"], told["CapBnd"], told["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    os.kill(int(status.name), signal.SIGTERM)
    web.wait(timeout=PATIENCE_S)
    sick = subprocess.run(platform.command("healthy", env=env), capture_output=True, text=True, check=False)
    assert sick.returncode == 1
    assert "/health/ready" in sick.stderr


def _below(pid: int) -> list[Path]:
    """The processes of a container, by their folders in /proc."""
    found, todo = [], [pid]
    while todo:
        folder = Path("/proc", str(todo.pop()))
        found.append(folder)
        todo += [int(child) for child in (folder / "task" / folder.name / "children").read_text().split()]
    return found


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Fake]:
    """A platform as runners on AWS Batch have it: everything comes and goes by HTTP, nothing lies on their disk."""
    with serving(Fake(tmp_path / "batch")) as fake:
        fake.method = "PUT"
        fake.order["isolation"] = "container"
        fake.script["claim"] = [
            (200, {"token": TOKEN, "done": 0, "end": None, "detail": ""}),
            (200, {"token": None, "done": 1, "end": "succeeded", "detail": ""}),
        ]
        fake.add_blob("penguins.csv", SAMPLE.read_bytes())
        yield fake


def _work_off(image: Image, batch: Fake) -> dict[str, Any]:
    """What the runner said at the end of the only step there is, in a container as its job definition has it."""
    env = {
        "ESTEIRA_URL": batch.url,
        "ESTEIRA_STEP_TOKEN": TOKEN,
        "AWS_BATCH_JOB_ID": str(uuid4()),
        "AWS_BATCH_JOB_ATTEMPT": "1",
    }
    command = image.command(RUNNER, env=env, user=int(NOBODY.partition(":")[0]), entrypoint=False)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env={})
    assert (done.returncode, done.stderr) == (0, ""), bytes(batch.log)
    return batch.finish


@BUILT
def test_image_of_steps_works_on_a_built_in_step(images: dict[str, Image], batch: Fake) -> None:
    code = load(BUILT_IN / "tabular-profile").bundle
    batch.blobs["/blobs/code"] = code
    params = {"sample_rows": 100_000, "delimiter": "auto", "encoding": "auto", "sheet": ""}
    batch.order |= {
        "code": source("code", f"{batch.url}/blobs/code", code),
        "command": ["python", "-m", "tabular_profile.convert"],
        "params": params,
        "python": "/opt/esteira/venv/bin/python",
    }
    assert _work_off(images["steps"], batch)["outcome"] == "succeeded", bytes(batch.log)
    assert any(content.startswith(b"PAR1") for content in batch.puts.values())


@BUILT
def test_runner_goes_into_an_image_of_ones_own(store: Store, batch: Fake, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(example())
    (tmp_path / "count.py").write_text(
        "import os, pathlib\n"
        "lines = (pathlib.Path(os.environ['ESTEIRA_INPUTS']) / 'penguins.csv').read_bytes().count(b'\\n')\n"
        "pathlib.Path(os.environ['ESTEIRA_OUTPUTS'], 'lines.txt').write_text(str(lines))\n"
    )
    store.buildah(
        "bud", "--isolation", "chroot", "--pull=false", "--build-arg", "STEPS=localhost/esteira/steps:test",
        "--build-arg", f"BASE={BASE}", "--tag", "count:test", str(tmp_path),
    )  # fmt: skip
    own = _image(store, "count:test")
    batch.order |= {"command": ["python3", "/opt/lab/count.py"], "python": None}
    assert _work_off(own, batch)["outcome"] == "succeeded", bytes(batch.log)
    assert batch.puts["/puts/0"] == str(SAMPLE.read_bytes().count(b"\n")).encode()


@BUILT
def test_runner_alone_is_the_one_in_the_image_of_steps(store: Store, images: dict[str, Image]) -> None:
    alone = store.mount("esteira/runner:test")
    assert [path.name for path in alone.iterdir() if path.is_file()] == ["runner.pyz"]
    assert (alone / "runner.pyz").read_bytes() == (images["steps"].root / "opt/esteira/runner.pyz").read_bytes()
