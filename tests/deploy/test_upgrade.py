"""F44: the release before the newest migration and today's work side by side on today's tables, under load."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.deploy.fleet import fleet
from tests.deploy.load import Load, until
from tests.deploy.test_rolling import all_ended, nothing_was_lost, prepared
from tests.live.manager import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]
MIGRATIONS = "orchestration/migrations"


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


@pytest.fixture
def older(tmp_path: Path, campaign: str) -> Path:
    """The tree of the last commit before the newest migration came."""
    if campaign != "full":
        pytest.skip("make deploy-check starts two releases: --campaign=full")
    newest = max(file.name for file in (ROOT / MIGRATIONS).glob("[0-9]*.py"))
    came = git("log", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{newest}")
    before = git("rev-parse", "--verify", "--quiet", f"{came.split()[-1]}^1") if came else ""
    if not before:
        pytest.skip(f"git does not know what was before {newest}: no clone, or a shallow one")
    packed = tmp_path / "older.tar"
    subprocess.run(["git", "archive", "--output", packed, before], cwd=ROOT, check=True)
    tree = tmp_path / "older"
    tree.mkdir()
    subprocess.run(["tar", "-xf", packed, "-C", tree], check=True)
    assert not (tree / MIGRATIONS / newest).exists()
    return tree


def test_release_before_and_this_one_work_side_by_side(older: Path) -> None:
    with fleet() as some:
        first = some.start_web(older)
        some.start_beat(older)
        some.start_worker("worker of before", older)
        some.start_engine(older)
        file_id = prepared(some)
        with Load(some, "short-work", file_id, keeps=False) as load:
            until(lambda: len(load.seen.jobs) > 5, 180, "the load did not begin")
            some.start_web()
            some.start_worker("worker of today")
            both = len(load.seen.jobs)
            until(lambda: len(load.seen.jobs) > both + 10, 180, "the load did not go on with both")
            some.take_away_web(first)
            some.end("worker of before")
            some.end("beat")
            some.start_beat()
            some.end("engine")
            some.start_engine()
            alone = len(load.seen.jobs)
            until(lambda: len(load.seen.jobs) > alone + 5, 180, "the load did not go on with this one")
            (some.home / "over").touch()
        until(lambda: all_ended(some), 300, some.logs())
        nothing_was_lost(some, load, rolls=1)


def test_older_release_takes_over_again(older: Path) -> None:
    """A rollback: what this release has begun, the one before it ends."""
    with fleet() as some:
        first = some.start_web()
        some.start_beat()
        some.start_worker("worker of today")
        some.start_engine()
        file_id = prepared(some)
        with Load(some, "short-work", file_id, keeps=False) as load:
            until(lambda: len(load.seen.jobs) > 5, 180, "the load did not begin")
            some.start_web(older)
            some.take_away_web(first)
            some.start_worker("worker of before", older)
            some.end("worker of today")
            for name, start in (("beat", some.start_beat), ("engine", some.start_engine)):
                some.end(name)
                start(older)
            alone = len(load.seen.jobs)
            until(lambda: len(load.seen.jobs) > alone + 5, 180, "the load did not go on with the older one")
            (some.home / "over").touch()
        until(lambda: all_ended(some), 300, some.logs())
        nothing_was_lost(some, load, rolls=1)
