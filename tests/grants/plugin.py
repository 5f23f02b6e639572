"""Pytest plugin (`-p tests.grants.plugin`): a call to AWS that deploy/iam/grants.json does not grant fails its test.

A run of the whole suite also fails for what is granted and never asked. `--write-grants` writes the list: a run of the
whole suite anew, any other adds to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import botocore.handlers
import pytest

from orchestration.storage.s3_signing import Signer
from tests.grants.record import LIST, Grant, Record, as_text, committed

if TYPE_CHECKING:
    from collections.abc import Generator

HERE: Final = "grants"
WRITE: Final = "--write-grants"
RECORD: Final = Record(committed() if LIST.exists() else set())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(WRITE, action="store_true", help=f"write what the tests ask of AWS to {LIST.name}")


def pytest_configure() -> None:
    # Every session of botocore that is made from here on has it, whoever makes it.
    botocore.handlers.BUILTIN_HANDLERS.append(("before-parameter-build", RECORD.call))
    sign = Signer.sign

    def noted(self: Signer, method: str, key: str, **more: Any) -> Any:
        RECORD.signature(method, self._bucket.full(key), more["query"])
        return sign(self, method, key, **more)

    Signer.sign = noted  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    before = set(RECORD.missing)
    result = yield
    new = sorted(set(RECORD.missing) - before)
    if new and not item.config.getoption(WRITE):
        said = "\n".join(map(str, new))
        pytest.fail(f"{LIST.name} does not grant\n{said}\nIf it should, run the tests with {WRITE}.", pytrace=False)
    return result


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[HERE] = [list(grant) for grant in sorted(RECORD.asked)]
    elif session.config.getoption(WRITE):
        LIST.parent.mkdir(parents=True, exist_ok=True)
        kept = set() if _is_whole(session, exitstatus) else RECORD.listed
        LIST.write_text(as_text(RECORD.asked | kept), encoding="utf-8")
    elif _is_whole(session, exitstatus) and RECORD.unused:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Of pytest-xdist: a worker is done."""
    RECORD.asked.update(Grant(*one) for one in getattr(node, "workeroutput", {}).get(HERE, ()))


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    session = terminalreporter._session
    if config.getoption(WRITE) or not RECORD.unused or not _is_whole(session, pytest.ExitCode.OK):
        return
    terminalreporter.section(f"{LIST.name} grants what nothing asks", red=True)
    for grant in RECORD.unused:
        terminalreporter.line(str(grant))
    terminalreporter.line(f"If nothing needs it, run the tests with {WRITE}.")


def _is_whole(session: pytest.Session, exitstatus: int) -> bool:
    """Every test of the suite ran, as far as this machine can run it, and none failed."""
    config = session.config
    is_chosen = config.option.keyword or config.option.markexpr or config.option.deselect or config.option.lf
    return (
        exitstatus == pytest.ExitCode.OK
        and config.args_source == pytest.Config.ArgsSource.TESTPATHS
        and not is_chosen
        and not config.option.collectonly
    )
