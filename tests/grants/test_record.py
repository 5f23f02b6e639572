"""A call to AWS goes to the process that would make it, and one that the list does not grant is a failed test."""

from __future__ import annotations

import sys
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.grants import plugin
from tests.grants.processes import ROOT, process_of
from tests.grants.record import Grant, Record, as_text

if TYPE_CHECKING:
    from collections.abc import Callable

LISTED = Grant("worker", "batch:ListJobs", "*")
CHECKED = {"client_config": SimpleNamespace(parameter_validation=True)}


def within[T](call: Callable[[], T], *places: str) -> T:
    """Called from these modules, the last of them outermost."""
    for place in places:
        inner = call
        scope: dict[str, Any] = {"inner": inner}
        exec(compile("def outer():\n    return inner()", f"{ROOT}/{place}", "exec"), scope)  # noqa: S102
        call = scope["outer"]
    return call()


def who_calls(*places: str) -> str:
    return within(lambda: process_of(sys._getframe(1)), *places)


@pytest.mark.parametrize(
    ("places", "process"),
    [
        (["orchestration/storage/s3.py", "orchestration/execution/retention.py"], "worker"),
        (["orchestration/storage/s3.py", "orchestration/execution/finishing.py", "orchestration/services/a.py"], "web"),
        (["orchestration/storage/s3.py", "orchestration/services/files.py", "frontend_app/views/files.py"], "web"),
        (["orchestration/queues/sqs.py", "project/management/commands/consume_events.py"], "consumer"),
        (["orchestration/storage/s3.py", "project/management/commands/check_storage.py"], "check_storage"),
        (["x/moto/stepfunctions/parser/task.py"], "state_machine"),
        (["orchestration/storage/s3.py"], ""),
        (["tests/storage/conftest.py", "orchestration/services/files.py"], ""),
    ],
)
def test_call_is_that_of_the_process_where_its_outermost_module_runs(places: list[str], process: str) -> None:
    assert who_calls(*places) == process


def call_of(record: Record, name: str, *, context: dict[str, Any] | None = None, **params: Any) -> None:
    model = SimpleNamespace(name=name)
    within(
        partial(record.call, params, model, CHECKED if context is None else context),
        ".venv/botocore/client.py",
        "orchestration/execution/sweep.py",
    )


def test_what_is_asked_and_not_listed_is_missing_and_the_reverse_is_unused() -> None:
    record = Record({LISTED})
    call_of(record, "DescribeJobs", jobs=[])

    assert record.missing == [Grant("worker", "batch:DescribeJobs", "*")]
    assert record.unused == [LISTED]


def test_call_that_nobody_said_the_needs_of_is_refused() -> None:
    with pytest.raises(AssertionError, match="worker calls DeleteBucket"):
        call_of(Record(set()), "DeleteBucket")


def test_call_whose_parameters_are_not_checked_is_refused() -> None:
    with pytest.raises(AssertionError, match="parameter_validation is off"):
        call_of(Record(set()), "ListJobs", context={"client_config": SimpleNamespace(parameter_validation=False)})


def test_signed_address_is_used_with_the_permissions_of_who_signed_it() -> None:
    record = Record(set())
    within(
        partial(record.signature, "GET", "x/results/a", {"versionId": "1"}),
        "tests/grants/plugin.py",
        "orchestration/storage/s3.py",
        "frontend_app/views/files.py",
    )

    files = "arn:aws:s3:::${results_bucket}/${results_folder}/*"
    assert Grant("web", "s3:GetObjectVersion", files) in record.asked


def test_test_that_asks_for_more_than_is_listed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record({LISTED})
    item: Any = SimpleNamespace(config=SimpleNamespace(getoption=lambda _: False))
    with monkeypatch.context() as here:  # this very test is watched by the same plugin
        here.setattr(plugin, "RECORD", record)
        running = plugin.pytest_runtest_call(item)
        next(running)
        record.asked.add(Grant("web", "s3:DeleteObject", "*"))

        with pytest.raises(pytest.fail.Exception, match=r"web: s3:DeleteObject on \*"):
            running.send(None)


@pytest.mark.parametrize(
    ("option", "source", "ended"),
    [("keyword", "TESTPATHS", 0), ("", "ARGS", 0), ("", "TESTPATHS", 1), ("", "TESTPATHS", 0)],
)
def test_only_a_run_of_the_whole_suite_says_what_is_not_used(
    monkeypatch: pytest.MonkeyPatch, option: str, source: str, ended: int
) -> None:
    monkeypatch.setattr(plugin, "RECORD", Record({LISTED}))
    options = dict.fromkeys(["keyword", "markexpr", "deselect", "lf", "collectonly"], "") | {option: "x"}
    config = SimpleNamespace(
        getoption=lambda _: False,
        option=SimpleNamespace(**options),
        args_source=pytest.Config.ArgsSource[source],
    )
    session: Any = SimpleNamespace(config=config, exitstatus=ended)
    plugin.pytest_sessionfinish(session, ended)

    is_whole = not option and source == "TESTPATHS"
    assert session.exitstatus == (1 if is_whole else 0) or ended


def test_list_is_written_in_one_order_only() -> None:
    other = Grant("web", "s3:GetObject", "b")
    again = Grant("web", "s3:GetObject", "a")

    assert as_text([other, LISTED, again]) == as_text({LISTED, again, other})
