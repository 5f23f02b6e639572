"""What holds for every command, also for the next one."""

import json
import shlex
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from api_app.client.cli import COMMANDS as FIRST
from api_app.client.cli import MEANT, cli
from tests.client.commands import COMMANDS
from tests.client.conftest import Command
from tests.client.fake_server import Platform
from tests.client.fake_shapes import END

WITHOUT_JSON = {
    "completion": "what it prints is read by a shell",
    "up": "it goes on until it is stopped",
    "manage": "what follows it is the platform's own, which has --json of its own",
}


def options(command: click.Command) -> set[str]:
    return {word for one in command.params for word in one.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json(name: str) -> None:
    assert ("--json" in options(COMMANDS[name])) != (name in WITHOUT_JSON)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [one.name for one in command.params if isinstance(one, click.Option) and not one.help] == []


def examples(command: click.Command) -> list[str]:
    lines = (command.epilog or "").partition("Examples:\n")[2].splitlines()
    return [line.strip() for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_it_understands(name: str) -> None:
    found = examples(COMMANDS[name])
    assert found
    for line in found:
        # What stands before a pipe is of another program, and `eval "$(…)"` is the shell's.
        plain = line.replace('eval "$(', "").replace(')"', "").partition(" < ")[0]
        (ours,) = [part for part in plain.split(" | ") if part.startswith("esteira")]
        words = shlex.split(ours, comments=True)[1:]
        assert " ".join(words).startswith(name.removesuffix(" list"))
        understood(words)


def understood(words: list[str]) -> None:
    """Down to the command, as click reads it, and no further."""
    command: click.Command = cli
    context = command.make_context("esteira", words)
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, words
        command = found
        context = command.make_context(name, rest, parent=context)


def test_words_of_other_commands_lead_to_ours(command: Command) -> None:
    assert set(MEANT.values()) <= set(FIRST)
    assert not set(MEANT) & set(FIRST)
    assert "Did you mean 'show'?" in command("status", "0f3a91c2").err
    assert "Did you mean 'jobs'?" in command("jbos").err
    assert "Did you mean 'failed'?" in command("jobs", "--state", "FAILD").err
    assert "For example: esteira show last" in command("show").err
    assert "esteira tokens alone lists." in command("tokens", "--help").out
    assert "Did you mean '--limit'" in command("jobs", "--limt", "3").err
    assert "Did you mean 'revoke'?" in command("tokens", "revok", "x").err


def test_version_is_said(command: Command) -> None:
    done = command("--version")
    assert (done.code, done.out) == (0, f"esteira {version('esteira')}\n")


@pytest.mark.parametrize("group", ["tokens", "uploads", "files"])
def test_bare_name_of_a_group_lists(command: Command, group: str) -> None:
    done = command(group, "--json")
    assert (done.code, json.loads(done.out)) == (0, []), done.err


def read(command: Command, *args: object) -> object:
    done = command(*args, "--json")
    (line,) = done.out.splitlines()
    assert done.code in {0, 1}, done.err
    return json.loads(line)


def test_answer_is_one_document(command: Command, platform: Platform) -> None:
    """Whatever else the command says goes to stderr."""
    Path("a.jpg").write_bytes(b"x")
    job = platform.add_job(state="SUCCEEDED", finished_at=END, results=[platform.add_file("r.html", b"<p>")])
    running = platform.add_job()

    for args in (
        ["whoami"], ["pipelines"], ["pipelines", "inspect"], ["upload", "a.jpg"], ["run", "inspect", "a.jpg"],
        ["run", "inspect", "a.jpg", "--watch"], ["run", "inspect", "a.jpg", "--download", "out"], ["jobs"],
        ["show", job["id"]], ["watch", job["id"]],
        ["download", job["id"]], ["cancel", running["id"]],
        ["retry", job["id"]], ["resubmit", job["id"]], ["rerun-items", job["id"]],
        ["bulk", "cancel", "state:open", "--preview"],
    ):  # fmt: skip
        platform.script = [{"state": "SUCCEEDED", "finished_at": END}]
        assert isinstance(read(command, *args), dict | list), args


def test_log_is_lines_of_json(command: Command, platform: Platform) -> None:
    job = platform.add_job()
    one = platform.add_log(job["id"], b"\x1b[31mred\x1b[0m\nlast", item=3)

    lines = command("logs", job["id"], "--json").out.splitlines()

    about = {"step": "look", "item": 3, "attempt": one["id"]}
    assert [json.loads(line) for line in lines] == [about | {"text": "\x1b[31mred\x1b[0m"}, about | {"text": "last"}]


def test_with_json_the_last_line_on_stderr_is_the_problem(command: Command, platform: Platform) -> None:
    ended = platform.add_job(state="SUCCEEDED", finished_at=END)["id"]

    for args, code, name in (
        (["show", ended, "--nonsense"], 2, "usage"),
        (["nonsense"], 2, "usage"),
        (["show", "0000000"], 6, "not_found"),
        (["run", "inspect", "no.txt"], 2, "no_file"),
        (["cancel", ended], 7, "job_finished"),
        (["--url", "http://127.0.0.1:1", "--token", "x", "jobs"], 4, "unreachable"),
    ):
        done = command(*args, "--json")
        told = json.loads(done.err.splitlines()[-1])
        assert (done.code, told["exit_code"], told["code"]) == (code, code, name), done.err
        assert told["detail"]
        assert {"type", "title"} <= set(told)
        assert done.out in {"", "[]\n"}


def test_word_of_another_option_is_no_wish_for_json(command: Command) -> None:
    assert command("jobs", "--state", "nonsense", "--", "--json").err.startswith("Usage: esteira jobs")
