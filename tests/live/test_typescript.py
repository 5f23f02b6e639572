"""The TypeScript client against a started platform: what every client must be able to do, and what breaks."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final, override
from uuid import uuid4

import pytest

from tests.clients.node import NODE, PROGRAMS, Built, built, run
from tests.live.links import Link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

SCENARIO: Final = PROGRAMS.with_name("scenario.json")
MIB: Final = 1 << 20
PATIENT: Final = """\
pipeline: patient
version: 1.0.0
title: Goes on while the platform restarts
steps:
  - name: wait
    command: [sleep, "4"]
"""


class Watched(Link):
    """Counts what goes in, and is cut or frozen once so much has passed."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.passed = self.trips = 0
        self.limit = 1 << 60
        self.freezes = False

    @override
    def passing(self, block: bytes, *, inwards: bool) -> None:
        self.passed += len(block) if inwards else 0
        if self.passed > self.limit:
            self.limit = 1 << 60
            self.trips += 1
            if self.freezes:
                self.freeze()
            else:
                self._break_all()


@pytest.fixture
def link(platform: Platform) -> Iterator[Watched]:
    link = Watched(int(platform.url.rpartition(":")[2]))
    link.start()
    yield link
    link.stop()


@pytest.fixture(scope="module")
def package() -> Built:
    return built()


def installed(package: Built, program: str, folder: Path) -> list[str]:
    """A program in a project of its own, checked by the compiler."""
    file = package.user(folder) / program
    shutil.copyfile(PROGRAMS / program, file)
    package.require_clean(file)
    return [str(NODE), str(file)]


def surroundings(platform: Platform, url: str = "") -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "ESTEIRA_URL": url or platform.url, "ESTEIRA_TOKEN": platform.token}


def require_done(done: subprocess.CompletedProcess[str], platform: Platform) -> str:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{platform.logs()}"
    return done.stdout


@pytest.mark.parametrize("where", ["platform", pytest.param("direct", marks=pytest.mark.xdist_group("buckets"))])
def test_client_can_do_what_every_client_must(
    package: Built, where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """On local storage, and on object storage, which it sends to and fetches from by itself."""
    platform: Platform = request.getfixturevalue(where)
    command = installed(package, "scenario.ts", tmp_path / "user")
    done = run([*command, str(SCENARIO), str(tmp_path)], cwd=tmp_path, env=surroundings(platform))
    steps = json.loads(SCENARIO.read_text())["steps"]
    assert f"played {len(steps)} steps" in require_done(done, platform)


IN_A_PAGE: Final = """async ([base, token]) => {
    const { Esteira } = await import(`${base}/index.js`);
    const client = new Esteira({ url: location.origin, token });
    const file = await client.upload(new File(["a,b\\n1,2\\n"], "table.csv"));
    const { id } = await client.run("tabular-profile", [file]);
    const states = [];
    for await (const { state } of client.watch(id)) states.push(state);
    const { isGood, good } = await client.verify(id);
    const text = await (await client.content(file)).text();
    return { state: states.at(-1), isGood, good: good.length, text };
}"""
PATH: Final = "/a-bundler-would-put-it-here"


def served_from(package: Built, page: Page, origin: str) -> str:
    """The client's modules at the page's own origin, where the platform's CSP lets them be loaded from."""
    fetch = "openapi-fetch"

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{origin}{PATH}/")
        inside = f"node_modules/{fetch}/dist/index.mjs" if name == fetch else f"dist/{name}"
        script = (package.folder / inside).read_text().replace(f'"{fetch}"', f'"{PATH}/{fetch}"')
        route.fulfill(body=script, content_type="text/javascript")

    page.route(f"{origin}{PATH}/**", answer)
    return PATH


def test_client_does_the_same_in_a_browser(package: Built, platform: Platform, page: Page) -> None:
    base = served_from(package, page, platform.url)
    seen = page.evaluate(IN_A_PAGE, [base, platform.token])
    assert seen == {"state": "SUCCEEDED", "isGood": True, "good": 4, "text": "a,b\n1,2\n"}


def noise(folder: Path, size: int, seed: int) -> Path:
    file = folder / f"noise-{uuid4()}.bin"
    file.write_bytes(random.Random(seed).randbytes(size))
    return file


def require_same(platform: Platform, told: str, file: Path) -> None:
    kept: dict[str, Any] = json.loads(told)
    deadline = time.monotonic() + 60
    while not kept["sha256"]:  # the platform reads it once more
        assert time.monotonic() < deadline, platform.logs()
        time.sleep(0.1)
        kept = platform.call("GET", f"/files/{kept['id']}").json()
    assert kept["size"] == file.stat().st_size
    assert kept["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_upload_goes_on_after_its_connections_broke(
    package: Built, platform: Platform, link: Watched, tmp_path: Path
) -> None:
    file = noise(tmp_path, 40 * MIB, 1)
    command = installed(package, "upload.ts", tmp_path / "user")
    link.limit = 20 * MIB
    done = run([*command, str(file)], cwd=tmp_path, env=surroundings(platform, link.url))
    require_same(platform, require_done(done, platform), file)
    assert link.trips == 1


def test_upload_whose_program_was_killed_goes_on_where_it_stopped(
    package: Built, platform: Platform, link: Watched, tmp_path: Path
) -> None:
    file = noise(tmp_path, 56 * MIB, 2)
    command = [*installed(package, "upload.ts", tmp_path / "user"), str(file)]
    link.limit, link.freezes = 36 * MIB, True
    with subprocess.Popen(command, cwd=tmp_path, env=surroundings(platform, link.url)) as first:
        deadline = time.monotonic() + 100
        while not link.trips and first.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.kill()
    link.restore(broken=True)
    before = link.passed
    done = run(command, cwd=tmp_path, env=surroundings(platform, link.url))
    require_same(platform, require_done(done, platform), file)
    # Parts of 16 MiB: at least one had arrived, and is not sent again.
    assert link.passed - before < 42 * MIB


def test_watch_misses_nothing_while_the_web_process_is_killed(
    package: Built, platform: Platform, tmp_path: Path
) -> None:
    platform.publish(PATIENT)
    job = platform.submit("patient", [platform.upload("a.txt", b"a")["id"]], key=str(uuid4()))
    command = [*installed(package, "watch.ts", tmp_path / "user"), job["id"]]
    with subprocess.Popen(
        command, cwd=tmp_path, env=surroundings(platform), stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "running\n"
        platform.kill("web")
        said, _ = watching.communicate(timeout=100)
    assert watching.returncode == 0, platform.logs()
    seen = json.loads(said.splitlines()[-1])
    told = platform.sql("SELECT id FROM orchestration_event WHERE job_id = %s ORDER BY id", job["id"])
    assert seen["events"] == [event for (event,) in told]
    assert seen["states"][-1] == "SUCCEEDED"
