"""Messages are JSON; whoever can write to the broker can still run nothing here (SEC-056)."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from kombu import Producer, Queue
from kombu.exceptions import ContentDisallowed

from project.celery import app

if TYPE_CHECKING:
    from pathlib import Path


class Exploit:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (type(self.proof).touch, (self.proof,))


def test_pickled_message_is_refused_and_not_opened(tmp_path: Path) -> None:
    proof = tmp_path / "it ran"
    body = pickle.dumps(((), {"x": Exploit(proof)}, {}))
    refused: list[Exception] = []
    taken: list[object] = []
    queue = Queue("pickled", routing_key="pickled")
    with app.connection_for_write() as connection:
        # The consumer of a worker, with what it accepts.
        consumer = app.amqp.TaskConsumer(
            connection.default_channel, [queue], on_decode_error=lambda _, exc: refused.append(exc)
        )
        consumer.register_callback(lambda *said: taken.append(said))
        with consumer:
            Producer(connection).publish(
                body, "pickled", content_type="application/x-python-serialize", content_encoding="binary"
            )
            connection.drain_events(timeout=10)
    assert [type(exc) for exc in refused] == [ContentDisallowed]
    assert not taken
    assert not proof.exists()


def test_worker_takes_json_only() -> None:
    assert list(app.conf.accept_content) == ["json"]
    assert app.conf.result_accept_content in (None, ["json"])
    assert app.conf.task_serializer == "json"
