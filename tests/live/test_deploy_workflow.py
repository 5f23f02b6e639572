"""The workflows `deploy` and `rollback`, their commands in order: on real Git, a platform that runs, a Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from deploy.release.watch import BURNING
from tests.deploy.play import Play, programs
from tests.deploy.prometheus_double import Double, serving
from tests.deploy.test_promote import BEFORE, IMAGES, branches, clone, committed, git, release, remote
from tests.deploy.test_watch import Cluster
from tests.deploy.workflows import ORDER, jobs, texts
from tests.infra.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.release.promote import Branches
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

__all__ = ["branches", "clone", "release", "remote"]  # fixtures
AWS: Final = (
    'test "$*" = "secretsmanager get-secret-value --secret-id esteira-$ENVIRONMENT/smoke-token'
    ' --query SecretString --output text" && echo "$SMOKE_TOKEN"'
)
NAMES: Final = list(ORDER)
GOOD: Final = NAMES[:5]
type Deploy = Callable[..., Play]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def prometheus(cluster: Cluster) -> Iterator[Double]:
    with serving(Double(cluster)) as double:
        yield double


@pytest.fixture
def deploy(platform: Platform, prometheus: Double, clone: Path, tmp_path: Path) -> Deploy:
    environ = programs(tmp_path / "bin", aws=AWS, gh="exit 0", make="exit 0")
    (tmp_path / "python").symlink_to(Path(sys.executable).parent.parent)
    number = iter(range(99))

    def play(
        environment: str, commit: str, images: dict[str, str], token: str = platform.token, workflow: str = "deploy"
    ) -> Play:
        folder = tmp_path / f"run-{next(number)}" / "clone"
        folder.parent.mkdir()
        git(tmp_path, "clone", "--quiet", str(clone), str(folder))
        git(folder, "remote", "set-url", "origin", str(tmp_path / "remote.git"))
        git(folder, "fetch", "--quiet", "origin")
        git(folder, "checkout", "--quiet", "--detach", commit)
        (folder / ".venv").symlink_to(tmp_path / "python")
        known = {
            "inputs.environment": environment, "inputs.release": commit, "inputs.commit": commit,
            "inputs.watch-minutes": "0.25",
            "inputs.platform": images["platform"], "inputs.steps": images["steps"],
            "vars.URL": platform.url, "vars.PROMETHEUS_URL": prometheus.url, "github.token": "",
            "vars.STAGING_ACCOUNT": "", "vars.PROD_ACCOUNT": "",
        }  # fmt: skip
        (job,) = jobs({workflow: texts()[workflow]})
        playing = Play(job, folder, known, {**environ, "PYTHONPATH": str(ROOT), "SMOKE_TOKEN": token})
        playing.run()
        playing.ran.remove("make setup")
        return playing

    return play


def test_good_release_goes_to_staging_and_then_to_prod(deploy: Deploy, branches: Branches, release: str) -> None:
    for environment in ("staging", "prod"):
        played = deploy(environment, release, IMAGES)
        assert (played.ran, played.has_failed) == (GOOD, False), played.said
        assert branches.images(environment, branches._head(environment)) == IMAGES


def test_prod_is_refused_what_staging_does_not_run(deploy: Deploy, release: str, remote: Path) -> None:
    played = deploy("prod", release, IMAGES)
    assert (played.ran, played.has_failed) == (GOOD[:2], True)
    assert "nothing was tested there" in played.said
    assert git(remote, "branch") == ""


def test_release_that_burns_the_budget_goes_back_by_itself(
    deploy: Deploy, branches: Branches, release: str, clone: Path, cluster: Cluster, remote: Path
) -> None:
    first = branches.promote("staging", release=release, images=BEFORE)
    cluster.burns = {next(iter(BURNING)): 0.05}
    played = deploy("staging", committed(clone, "two"), IMAGES)
    assert (played.ran, played.has_failed) == (NAMES, True), played.said
    assert "5.00%" in played.said
    assert git(remote, "diff", first.now, "deployed/staging") == ""
    assert git(remote, "rev-list", "--count", "deployed/staging") == "3"


def test_release_through_which_no_job_goes_goes_back(
    deploy: Deploy, branches: Branches, release: str, clone: Path, remote: Path
) -> None:
    first = branches.promote("staging", release=release, images=BEFORE)
    played = deploy("staging", committed(clone, "two"), IMAGES, token="nobody")
    assert "While it is new" not in played.ran
    assert git(remote, "diff", first.now, "deployed/staging") == ""


def test_release_that_was_there_already_is_not_taken_back(
    deploy: Deploy, branches: Branches, release: str, cluster: Cluster, remote: Path
) -> None:
    """A run that is repeated has changed nothing: there is nothing to undo."""
    branches.promote("staging", release=release, images=IMAGES)
    cluster.burns = {next(iter(BURNING)): 0.05}
    played = deploy("staging", release, IMAGES)
    assert (played.ran, played.has_failed) == (GOOD, True), played.said
    assert git(remote, "rev-list", "--count", "deployed/staging") == "1"


def test_by_hand_an_environment_goes_back_along_its_branch_and_nowhere_else(
    deploy: Deploy, branches: Branches, release: str, clone: Path, remote: Path
) -> None:
    first = branches.promote("prod", release=release, images=BEFORE)
    branches.promote("prod", release=committed(clone, "two"), images=IMAGES)
    elsewhere = deploy("prod", release, IMAGES, workflow="rollback")
    assert (elsewhere.ran, elsewhere.has_failed) == (["Back"], True)
    back = deploy("prod", first.now, IMAGES, workflow="rollback")
    assert (back.ran, back.has_failed) == (["Back", "Until that is out", "A job through it"], False), back.said
    assert git(remote, "diff", first.now, "deployed/prod") == ""
    assert git(remote, "rev-list", "--count", "deployed/prod") == "3"
