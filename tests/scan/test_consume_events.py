"""Events from the queue: recorded, then deleted; what nobody understands is put aside by the queue, not by us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from django.conf import settings as of_the_tests
from django.core.management import CommandError, call_command
from django.db import OperationalError
from moto import mock_aws

from orchestration.errors import QueueRejected, QueueUnavailable
from orchestration.execution.examine import examine_due
from orchestration.queues.sqs import SqsQueue
from orchestration.services import events
from orchestration.services.scan_results import SCAN_RESULT, record_scan_result
from orchestration.states import ScanState
from project.management.commands import consume_events
from project.management.commands.consume_events import consume
from tests.scan.test_examination import seen
from tests.scan.test_scan_results import result_of, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_django import Settings

    from orchestration.models import File
    from orchestration.queues.base import Message
    from tests.scan.bucket import Bucket

__all__ = ["waiting"]  # a fixture

pytestmark = pytest.mark.django_db
END_S: Final = 60


class Until(threading.Event):
    """A stop that comes after so many questions to it."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def is_set(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    def wait(self, _timeout: float | None = None) -> bool:
        return True


class Aws:
    """A queue whose messages come back at once, and are put aside after three deliveries."""

    def __init__(self) -> None:
        self.client = boto3.client("sqs", region_name="eu-west-1")
        self.aside = self._made("aside")
        arn = self.client.get_queue_attributes(QueueUrl=self.aside, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": "3"}
        self.url = self._made("status", RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
        self.queue = SqsQueue(self.url)

    def _made(self, name: str, **attributes: str) -> str:
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def send(self, body: str) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def left(self, url: str = "") -> int:
        name = "ApproximateNumberOfMessages"
        said = self.client.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=[name])
        return int(said["Attributes"][name])


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(consume_events, "WAIT_S", 0)
    monkeypatch.setattr(consume_events, "close_old_connections", lambda: None)
    with mock_aws():
        yield Aws()


def test_result_is_recorded_and_its_message_deleted(aws: Aws, waiting: File, bucket: Bucket) -> None:
    bucket.tag(waiting, "NO_THREATS_FOUND")
    aws.send(json.dumps(result_of(waiting)))
    consume(aws.queue, Until(2))
    assert aws.left() == 0
    assert examine_due() == 1
    assert seen(waiting).scan_state == ScanState.CLEAN


def test_message_stays_until_what_it_says_is_durable(
    aws: Aws, waiting: File, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def lost(**_: Any) -> None:
        asked.append(aws.left())
        raise OperationalError("the connection is gone")

    aws.send(json.dumps(result_of(waiting)))
    with monkeypatch.context() as broken:
        broken.setattr(consume_events, "record_event", lost)
        consume(aws.queue, Until(2))
    assert asked, "it was tried"
    assert aws.left() == 1
    consume(aws.queue, Until(2))
    assert aws.left() == 0
    bucket.tag(waiting, "NO_THREATS_FOUND")
    assert examine_due() == 1


@pytest.mark.parametrize("body", ["{", '{"detail-type": "Nobody knows"}', "x" * 300_000])
def test_poison_is_put_aside_and_others_are_not_delayed(aws: Aws, waiting: File, bucket: Bucket, body: str) -> None:
    bucket.tag(waiting, "NO_THREATS_FOUND")
    aws.send(body)
    aws.send(json.dumps(result_of(waiting)))
    consume(aws.queue, Until(3))
    assert examine_due() == 1
    for _ in range(4):
        consume(aws.queue, Until(2))
    assert (aws.left(), aws.left(aws.aside)) == (0, 1)


@pytest.mark.parametrize("key", ["a\0b", "\ud800"])
def test_what_the_database_cannot_store_does_not_end_the_consumer(aws: Aws, waiting: File, key: str) -> None:
    event = result_of(waiting)
    event["detail"]["s3ObjectDetails"]["objectKey"] = key
    aws.send(json.dumps(event))
    consume(aws.queue, Until(2))
    assert aws.left() == 1


def test_stop_leaves_the_rest_of_a_batch_to_others(aws: Aws, waiting: File, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setitem(events.KINDS, SCAN_RESULT, lambda *, event: taken.append(event))
    for number in range(3):
        aws.send(json.dumps(result_of(waiting, event_id=f"e{number}")))
    consume(aws.queue, Until(2))
    assert len(taken) == 1
    assert aws.left() == 2


def test_queue_that_is_not_there_is_said(aws: Aws, settings: Settings) -> None:
    settings.EVENTS_QUEUE = aws.url + "-gone"
    with pytest.raises(CommandError, match="queue of events says"):
        call_command("consume_events")
    settings.EVENTS_QUEUE = ""
    with pytest.raises(CommandError, match="ESTEIRA_EVENTS_QUEUE is not set"):
        call_command("consume_events")


@contextmanager
def answering(status: int, answer: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """A server that says the same to whatever is asked, as SQS would."""
    asked: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["X-Amz-Target"])
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/111122223333/status", asked
        finally:
            server.shutdown()
            thread.join()


KEYS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.mark.parametrize(("status", "kind"), [(503, QueueUnavailable), (400, QueueRejected)])
def test_queue_says_later_or_never(status: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with answering(status, {"__type": "Trouble", "message": "no"}) as (url, _), pytest.raises(kind):
        SqsQueue(url).receive(wait_s=0)


def test_sigterm_ends_it_cleanly() -> None:
    with answering(200, {"Messages": []}) as (url, asked):
        process = subprocess.Popen(
            [sys.executable, str(of_the_tests.BASE_DIR / "manage.py"), "consume_events"],
            env={**os.environ, **KEYS, "ESTEIRA_EVENTS_QUEUE": url},
            stderr=subprocess.PIPE,
        )
        try:
            while not asked:
                assert process.poll() is None, process.stderr and process.stderr.read()
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=END_S)[1]
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, said
    assert b"Traceback" not in said


def test_delivery_that_was_recorded_but_not_deleted_is_absorbed(aws: Aws, waiting: File) -> None:
    """As after kill -9 between the commit and the delete."""
    event = result_of(waiting, "THREATS_FOUND", "Trojan.X")
    record_scan_result(event=event)
    aws.send(json.dumps(event))
    messages: Sequence[Message] = aws.queue.receive(wait_s=0)
    assert [message.times for message in messages] == [1]
    consume(aws.queue, Until(2))
    assert aws.left() == 0
