"""Clients that know GA4GH's TES and nothing of ours, unmodified, against a platform that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
import tes

from orchestration.runner.sandbox import find, works
from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Iterator

BWRAP = find()
pytestmark = [
    pytest.mark.xdist_group("tes"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(BWRAP is None or not works(BWRAP, None), reason="bubblewrap is missing or not allowed here"),
]


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with running({"ESTEIRA_TES_IMAGES": "debian:13=host"}) as platform:
        yield platform


@pytest.fixture
def client(platform: Platform) -> tes.HTTPClient:
    return tes.HTTPClient(platform.url, token=platform.token, timeout=30)


def done(client: tes.HTTPClient, task: tes.Task) -> tes.Task:
    task_id = client.create_task(task)
    client.wait(task_id, timeout=90)
    return client.get_task(task_id, view="FULL")


def command(*words: str, **more: object) -> tes.Executor:
    return tes.Executor(image="debian:13", command=list(words), **more)


def fetched(platform: Platform, url: str) -> bytes:
    return httpx.get(url, headers={"Authorization": f"Bearer {platform.token}"}, trust_env=False).content


def test_py_tes_runs_commands_over_texts_and_files(client: tes.HTTPClient, platform: Platform) -> None:
    file = platform.upload("numbers.txt", b"3\n1\n2\n")
    task = tes.Task(
        name="sort",
        inputs=[
            tes.Input(path="/data/in/numbers.txt", url=f"esteira:{file['id']}"),
            tes.Input(path="/data/in/more.txt", content="0\n"),
        ],
        outputs=[
            tes.Output(path="/data/out/sorted.txt", url="esteira:sorted"),
            tes.Output(path="/out/parts/p*.txt", path_prefix="/out", url="esteira:parts"),
            tes.Output(path="/vol/tree", url="esteira:tree", type="DIRECTORY"),
        ],
        volumes=["/vol"],
        executors=[
            command("sort", "/data/in/numbers.txt", "/data/in/more.txt", stdout="/vol/sorted"),
            command(
                "sh", "-c", "cat > sorted.txt; mkdir -p /out/parts /vol/tree/a; echo 1 > /out/parts/p1.txt;"
                " echo 2 > /vol/tree/a/b; echo to be read; echo $COLOUR", stdin="/vol/sorted", workdir="/data/out",
                env={"COLOUR": "teal"},
            ),
        ],
        tags={"batch": "7"},
        resources=tes.Resources(cpu_cores=1, ram_gb=1.0, disk_gb=1.0),
    )  # fmt: skip

    ended = done(client, task)

    assert ended.state == "COMPLETE", ended
    log = ended.logs[0]
    assert [one.exit_code for one in log.logs] == [0, 0]
    assert log.logs[0].start_time <= log.logs[0].end_time <= log.logs[1].end_time
    assert log.logs[1].stdout == "to be read\nteal"
    results = {one.path: fetched(platform, one.url) for one in log.outputs}
    assert results == {"/data/out/sorted.txt": b"0\n1\n2\n3\n", "/out/parts/p1.txt": b"1\n", "/vol/tree/a/b": b"2\n"}
    assert (ended.inputs[1].content, ended.tags, ended.resources.ram_gb) == ("0\n", {"batch": "7"}, 1.0)
    assert next(task.id for task in client.list_tasks().tasks) == ended.id


@pytest.mark.parametrize("code", [3, 65, 75])
def test_command_that_fails_ends_the_task_with_its_code(client: tes.HTTPClient, code: int) -> None:
    """65 and 75 mean something to our own steps; here they are a code like any other."""
    never = command("touch", "/data/never")
    ended = done(client, tes.Task(executors=[command("sh", "-c", f"echo oh no; exit {code}"), never]))
    assert ended.state == "EXECUTOR_ERROR"
    assert [one.exit_code for one in ended.logs[0].logs] == [code]
    assert len(ended.logs) == 1
    assert ended.logs[0].logs[0].stdout == "oh no"
    assert f"Executor 1 ended with exit code {code}." in ended.logs[0].system_logs


def test_error_that_is_to_be_ignored_is_recorded_and_ignored(client: tes.HTTPClient) -> None:
    wrong = command("no-such-command", ignore_error=True)
    ended = done(client, tes.Task(executors=[wrong, command("true")]))
    assert (ended.state, [one.exit_code for one in ended.logs[0].logs]) == ("COMPLETE", [127, 0])


def test_output_that_is_not_there_is_an_error(client: tes.HTTPClient) -> None:
    missing = tes.Output(path="/data/missing", url="esteira:x")
    ended = done(client, tes.Task(executors=[command("true")], outputs=[missing]))
    assert ended.state == "EXECUTOR_ERROR"
    assert "there is no file /data/missing" in ended.logs[0].system_logs[0]


def test_commands_are_behind_walls_although_our_own_steps_are_not(client: tes.HTTPClient, platform: Platform) -> None:
    """The platform's own steps run without isolation here; a stranger's commands never do."""
    look = (
        f"ls {platform.home} 2>&1; cat /etc/shadow 2>&1; touch /usr/x 2>&1; id -u; "
        "python3 -c 'import socket; print(socket.if_nameindex())' 2>&1; env | cut -d= -f1 | sort | tr '\\n' ' '"
    )
    ended = done(client, tes.Task(executors=[command("sh", "-c", look)]))
    assert ended.state == "COMPLETE"
    said = ended.logs[0].logs[0].stdout
    assert "secret_key" not in said
    assert said.splitlines()[0] == "work", "of the platform's own folder it sees its own work"
    assert "No such file" in said.splitlines()[1], said
    assert "Read-only file system" in said
    assert "\n65534\n" in said
    assert "ESTEIRA_PARAMS" not in said
    assert "PYTHONPATH" not in said


def test_cancel_ends_the_command(client: tes.HTTPClient) -> None:
    task_id = client.create_task(tes.Task(executors=[command("sleep", "600")]))
    deadline = time.monotonic() + 60
    while client.get_task(task_id, "MINIMAL").state != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client.cancel_task(task_id)
    while client.get_task(task_id, "MINIMAL").state == "CANCELING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert client.get_task(task_id, "BASIC").state == "CANCELED"
    with pytest.raises(requests.HTTPError, match="409"):
        client.cancel_task(task_id)


def test_image_that_nobody_allowed_is_refused(client: tes.HTTPClient) -> None:
    with pytest.raises(requests.HTTPError, match="403"):
        client.create_task(tes.Task(executors=[tes.Executor(image="alpine", command=["true"])]))


def test_service_info_is_understood(client: tes.HTTPClient) -> None:
    info = client.get_service_info()
    assert (info.name, info.type["artifact"], info.type["version"]) == ("Esteira", "tes", "1.1.0")
