import socket
import time

import pytest

from api_app.client import Client, ProblemError, UnreachableError, by_path
from api_app.client.errors import RequestError
from tests.client.fake_faults import answer, hang_up, lose_answer
from tests.client.fake_server import TOKEN, Platform


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_trouble_is_tried_again(client: Client, platform: Platform, status: int) -> None:
    platform.fail("GET /me", answer(status), answer(status))

    assert client.me()["user"] == "ana"
    assert len(platform.calls("GET", "/me")) == 3


def test_a_broken_connection_is_tried_again(client: Client, platform: Platform) -> None:
    platform.fail("GET /me", hang_up())

    assert client.me()["user"] == "ana"


def test_lasting_trouble_is_told_at_once(client: Client, platform: Platform) -> None:
    platform.fail("GET /me", answer(500, detail="Boom.", X_Request_Id="r-7"))

    with pytest.raises(ProblemError) as caught:
        client.me()

    assert caught.value.status == 500
    assert "Boom" in str(caught.value)
    assert "r-7" in str(caught.value)
    assert len(platform.calls("GET", "/me")) == 1


def test_retry_after_is_respected(client: Client, platform: Platform) -> None:
    client.me()
    platform.fail("GET /me", answer(429, Retry_After="1"))
    began = time.monotonic()

    client.me()

    assert time.monotonic() - began >= 1


def test_a_wait_longer_than_our_patience_is_told_instead(client: Client, platform: Platform) -> None:
    client.me()
    platform.fail("GET /me", answer(429, detail="Too many.", Retry_After="600"))

    with pytest.raises(ProblemError, match=r"Too many\. Try again in 600 s\."):
        client.me()


def test_patience_ends(url: str, platform: Platform) -> None:
    with Client(url, TOKEN, patience_s=0.3) as client:
        platform.fail("GET /me", *[answer(503)] * 50)
        with pytest.raises(ProblemError, match="try again later"):
            client.me()


def test_a_try_before_that_is_still_at_work_is_waited_for(client: Client, platform: Platform) -> None:
    job = platform.add_job(state="FAILED")
    platform.fail(f"POST /jobs/{job['id']}/retry", answer(409, "request_in_progress"), answer(409, "conflict"))
    with pytest.raises(ProblemError) as caught:
        client.retry(job["id"])
    assert caught.value.code == "conflict"
    assert len(platform.calls("POST", f"/jobs/{job['id']}/retry")) == 2


def test_a_lost_answer_submits_one_job(client: Client, platform: Platform) -> None:
    file = platform.add_file("a.txt", b"a", kind="upload")
    platform.fail("POST /jobs", lose_answer, answer(503))

    job = client.submit("inspect", [file["id"]])

    assert list(platform.jobs) == [job["id"]]
    keys = {headers["idempotency-key"] for headers in platform.calls("POST", "/jobs")}
    assert len(keys) == 1
    assert len(platform.calls("POST", "/jobs")) == 3


def test_the_same_key_is_the_same_job(client: Client, platform: Platform) -> None:
    file = platform.add_file("a.txt", b"a", kind="upload")
    first, second = (client.submit("inspect", [file["id"]], key="k") for _ in range(2))

    assert first["id"] == second["id"]


def test_a_second_submit_is_a_second_job(client: Client, platform: Platform) -> None:
    file = platform.add_file("a.txt", b"a", kind="upload")

    assert client.submit("inspect", [file["id"]])["id"] != client.submit("inspect", [file["id"]])["id"]


def test_retry_whose_answer_got_lost_is_asked_again_and_done_once(client: Client, platform: Platform) -> None:
    job = platform.add_job(state="FAILED")
    platform.fail(f"POST /jobs/{job['id']}/retry", lose_answer)

    assert client.retry(job["id"])["run"] == 2
    asked = platform.calls("POST", f"/jobs/{job['id']}/retry")
    assert len(asked) == 2
    assert len({headers["idempotency-key"] for headers in asked}) == 1


def test_what_has_no_key_is_not_repeated_when_it_may_have_happened(client: Client, platform: Platform) -> None:
    client.me()
    platform.fail("POST /tokens", lose_answer)

    with pytest.raises(UnreachableError, match="stopped answering"):
        client.create_token("nightly", scopes=[], workspace=None, days=1)

    assert len(platform.calls("POST", "/tokens")) == 1


def test_nobody_there_is_told_within_two_seconds() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    began = time.monotonic()

    with Client(f"http://127.0.0.1:{port}", TOKEN) as client, pytest.raises(UnreachableError, match="esteira up"):
        client.me()

    assert time.monotonic() - began < 2


def test_a_redirect_is_not_followed_with_the_token(client: Client, platform: Platform) -> None:
    platform.fail("GET /me", answer(302, Location="https://elsewhere.example"))

    with pytest.raises(UnreachableError, match=r"points to https://elsewhere\.example"):
        client.me()


def test_an_id_cannot_reach_another_path(client: Client, platform: Platform) -> None:
    for bad in ("../files", "a/b", "", "x?y"):
        with pytest.raises(Exception, match="neither an id nor a name"):
            client.job(bad)
        with pytest.raises(RequestError, match="neither an id nor a name"):
            by_path.path("webhooks", bad, "test")
    assert platform.requests == []
