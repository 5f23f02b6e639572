import json

import pytest

from tests.client.conftest import Command
from tests.client.fake_server import Platform
from tests.client.fake_shapes import END


@pytest.fixture(autouse=True)
def three_open(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.script = []
    for number in range(3):
        platform.add_job(name=f"job {number}")
    platform.add_job(state="SUCCEEDED", finished_at=END)
    monkeypatch.setattr("api_app.client.commands.bulk.EVERY_S", 0.01)


def test_bulk_shows_what_it_will_be_and_what_came_of_it(command: Command, platform: Platform) -> None:
    done = command("bulk", "cancel", "state:open", "label:a=b", "--yes")

    assert done.code == 1, "a job refused"
    assert done.out.startswith("3 jobs to cancel; 1 job of the filter has nothing to cancel.")
    assert "job 0" in done.out
    assert "… and 1 more" in done.out
    assert "2 jobs done, 1 refused." in done.out
    assert "deadbeef: The job has already finished: SUCCEEDED." in done.out
    assert platform.filters == ["state:open label:a=b"]
    assert platform.bodies == [{"action": "cancel", "q": "state:open label:a=b", "expected": 3}]


def test_bulk_does_nothing_unless_somebody_says_yes(command: Command, platform: Platform) -> None:
    done = command("bulk", "retry", "state:failed")

    assert done.code == 2
    assert "Retry 3 jobs? Nobody is there to answer; add --yes if you mean it." in done.err
    assert platform.bodies == []


def test_preview_changes_nothing(command: Command, platform: Platform) -> None:
    done = command("bulk", "cancel", "state:open", "--preview", "--json")

    assert done.code == 0
    assert json.loads(done.out)["total"] == 3
    assert platform.bodies == []


def test_bulk_may_be_left_alone(command: Command, platform: Platform) -> None:
    done = command("bulk", "cancel", "state:open", "-y", "--no-wait")

    assert done.code == 0
    assert "Begun. It goes on by itself: 3 jobs, operation b1." in done.out


def test_labels_and_a_priority_go_along(command: Command, platform: Platform) -> None:
    command("bulk", "label", "state:open", "--set", "batch=9", "--remove", "old", "-y", "--no-wait")
    command("bulk", "priority", "state:open", "--to", "-5", "-y", "--no-wait")

    q = "state:open"
    assert platform.bodies == [
        {"action": "label", "q": q, "expected": 3, "set_labels": {"batch": "9"}, "remove_labels": ["old"]},
        {"action": "priority", "q": q, "expected": 3, "priority": -5},
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["label"], "Say --set KEY=VALUE or --remove KEY"),
        (["label", "--set", "batch"], "batch has no value. Write --set batch=VALUE."),
        (["cancel", "--remove", "a"], "and with no other"),
        (["priority"], "Say --to with the action priority"),
        (["retry", "--to", "3"], "Say --to with the action priority"),
    ],
)
def test_options_of_another_action_are_refused(
    command: Command, platform: Platform, given: list[str], said: str
) -> None:
    action, *options = given
    done = command("bulk", action, "state:open", *options, "-y")

    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert platform.bodies == []
