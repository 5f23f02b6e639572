"""Amazon SQS. Its own redrive policy puts aside what was delivered too often."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from orchestration.aws import pinned
from orchestration.errors import QueueRejected, QueueUnavailable
from orchestration.queues.base import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST: Final = 10
"""Messages in one answer: SQS gives no more."""
SERVER_ERROR: Final = 500
WAITING: Final = "ApproximateNumberOfMessages"
COUNT: Final = "ApproximateReceiveCount"
CONFIG: Final = pinned(connect_s=5, read_s=30, attempts=4)


class SqsQueue:
    def __init__(self, url: str) -> None:
        self._url = url
        where = urlsplit(url)
        with _translated():
            self._client = boto3.client("sqs", endpoint_url=f"{where.scheme}://{where.netloc}", config=CONFIG)

    def receive(self, *, wait_s: int) -> Sequence[Message]:
        with _translated():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MOST,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=[COUNT],
            )
        return [
            Message(raw["ReceiptHandle"], raw["Body"], int(raw.get("Attributes", {}).get(COUNT, 1)))
            for raw in answer.get("Messages", [])
        ]

    def waiting(self) -> int:
        """About how many messages nobody has received yet."""
        with _translated():
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[WAITING])
        return int(answer["Attributes"][WAITING])

    def delete(self, message: Message) -> None:
        with _translated():
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as exc:
        status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
        is_passing = status >= SERVER_ERROR or "Throttl" in exc.response["Error"]["Code"]
        kind = QueueUnavailable if is_passing else QueueRejected
        raise kind(f"The queue of events says: {exc.response['Error'].get('Message') or exc}") from exc
    except (NoCredentialsError, NoRegionError) as exc:
        raise QueueRejected(f"The queue of events cannot be asked: {exc}") from exc
    except BotoCoreError as exc:
        raise QueueUnavailable(f"The queue of events does not answer: {exc}") from exc
