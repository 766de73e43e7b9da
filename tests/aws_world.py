"""An AWS to test in: clients whose calls are counted, fresh names, and answers of our own making."""

from __future__ import annotations

import copy
import uuid
from collections import Counter
from functools import cache, cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pipeline import table_layout
from pipeline.aws import clients, ratings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ODD_KEYS = (
    "a b.jpg",
    "a+b.jpg",
    "a%20b.jpg",
    "über/é.jpg",
    "日本/靴.jpg",
    "😀.jpg",
    "a:b?c#d&e=f;g,h.jpg",
    'it\'s "quoted" <b>.jpg',
    "back\\slash.jpg",
    "double//slash.jpg",
    "new\nline.jpg",
    "control\x01.jpg",
    "no-ending",
    "k" * 1024,
)


@cache
def _client(service: str, endpoint_url: str | None) -> Any:
    return clients.client(service, endpoint_url)


def _own(client: Any) -> Any:
    """Return the client with handlers of its own: to make one anew takes as long as a whole test."""
    own = object.__new__(type(client))
    own.__dict__.update(client.__dict__)
    own.meta = copy.copy(client.meta)
    own.meta.events = copy.copy(client.meta.events)
    return own


class AwsWorld:
    """Clients of an AWS, counting their calls, and fresh names in it."""

    def __init__(self, endpoint_url: str | None) -> None:
        self.calls: Counter[str] = Counter()
        self.name = f"contract-{uuid.uuid4().hex[:12]}"
        self._endpoint_url = endpoint_url

    @cached_property
    def s3(self) -> Any:
        """A client of S3."""
        return self._client("s3")

    @cached_property
    def sqs(self) -> Any:
        """A client of SQS."""
        return self._client("sqs")

    @cached_property
    def dynamodb(self) -> Any:
        """A client of DynamoDB."""
        return self._client("dynamodb")

    def _client(self, service: str) -> Any:
        client = _own(_client(service, self._endpoint_url))
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1

    def bucket(self) -> str:
        """Return the name of a new bucket."""
        self.s3.create_bucket(Bucket=self.name)
        return self.name

    def queue(self) -> str:
        """Return the address of a new queue."""
        return str(self.sqs.create_queue(QueueName=self.name)["QueueUrl"])

    def table(self) -> str:
        """Return the name of a new table, with the keys and the indexes of the template's."""
        keys = (table_layout.IMAGE, table_layout.PRODUCT, table_layout.REASON)
        projected = [table_layout.LONG_IMAGE, table_layout.PRODUCT, table_layout.DETAIL]
        self.dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": table_layout.IMAGE, "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": table_layout.PRODUCT_INDEX,
                    "KeySchema": [
                        {"AttributeName": table_layout.PRODUCT, "KeyType": "HASH"},
                        {"AttributeName": table_layout.IMAGE, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                },
                {
                    "IndexName": table_layout.REASON_INDEX,
                    "KeySchema": [
                        {"AttributeName": table_layout.REASON, "KeyType": "HASH"},
                        {"AttributeName": table_layout.IMAGE, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": projected},
                },
            ],
        )
        return self.name

    def ratings_table(self) -> str:
        """Return the name of a new table, with the keys of the template's table of ratings."""
        keys = {ratings.IMAGE: "HASH", ratings.PART: "RANGE"}
        name = f"{self.name}-ratings"
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        )
        return name


def some_world(request: pytest.FixtureRequest) -> Iterator[AwsWorld | None]:
    """Yield the world that a fixture's parameter names; none for the fakes."""
    if request.param == "fake":
        yield None
    elif request.param == "moto":
        yield request.getfixturevalue("moto")
    else:
        request.getfixturevalue("aws_environment")
        yield AwsWorld(request.getfixturevalue(request.param))


def answer(client: Any, *answers: dict[str, Any]) -> Counter[str]:
    """Make the client's next calls get these answers, the last one for ever, and return the count of its calls.

    An answer is what boto3 returns; one with ``Error`` is raised, with the HTTP status in ``status``.
    """
    calls: Counter[str] = Counter()

    def before_call(model: Any, **_: Any) -> tuple[SimpleNamespace, dict[str, Any]]:
        at = min(calls.total(), len(answers) - 1)
        calls[model.name] += 1
        parsed = dict(answers[at])
        status = parsed.pop("status", 400 if "Error" in parsed else 200)
        parsed["ResponseMetadata"] = {"HTTPStatusCode": status}
        return SimpleNamespace(status_code=status, headers={}), parsed

    client.meta.events.register("before-call", before_call)
    return calls


def refusal(code: str, status: int = 400) -> dict[str, Any]:
    """Return the answer by which AWS refuses a call."""
    return {"Error": {"Code": code, "Message": "made up"}, "status": status}
