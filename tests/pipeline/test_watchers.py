"""Tickets, watchers and ratings rest the same in memory and in DynamoDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from pipeline.aws.clients import client
from pipeline.aws.ratings import DynamoRatings
from pipeline.aws.watchers import DynamoWatchers
from pipeline.images import ImageRef
from pipeline.memory.ratings import MemoryRatings
from pipeline.memory.watchers import MemoryWatchers
from pipeline.ratings import Rating, Verdict
from pipeline.watchers import Ticket, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE, OTHER = ImageRef("shop", "uploads/a b+c-é.jpg"), ImageRef("shop", "uploads/b.jpg")


@pytest.fixture
def dynamodb(aws_environment: None) -> Iterator[Any]:
    with mock_aws():
        made = client("dynamodb")
        for name, keys in (("watchers", ("id", "part")), ("ratings", ("image", "part"))):
            made.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
                ],
            )
        yield made


@pytest.fixture(params=["memory", "dynamodb"])
def watchers(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryWatchers()
    return DynamoWatchers(request.getfixturevalue("dynamodb"), "watchers")


@pytest.fixture(params=["memory", "dynamodb"])
def ratings(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryRatings()
    return DynamoRatings(request.getfixturevalue("dynamodb"), "ratings")


def test_a_ticket_is_good_for_its_image_until_it_ends(watchers: Any, now: datetime) -> None:
    watchers.issue(Ticket("secret", IMAGE, now + timedelta(minutes=10)))

    assert watchers.image_of("secret", now) == IMAGE
    assert watchers.image_of("secret", now + timedelta(minutes=9, seconds=59)) == IMAGE
    assert watchers.image_of("secret", now + timedelta(minutes=10)) is None
    assert watchers.image_of("wrong", now) is None


def test_who_waits_is_found_until_forgotten(watchers: Any, now: datetime) -> None:
    watchers.watch(IMAGE, Waiting("one", "de"), now)
    watchers.watch(IMAGE, Waiting("two", "fr"), now)
    watchers.watch(OTHER, Waiting("three", "en"), now)

    assert watchers.waiting_for(IMAGE, now) == [Waiting("one", "de"), Waiting("two", "fr")]
    watchers.forget(IMAGE, "one")
    watchers.forget(IMAGE, "nobody")
    assert watchers.waiting_for(IMAGE, now) == [Waiting("two", "fr")]
    assert watchers.waiting_for(IMAGE, now + timedelta(hours=3)) == []


def test_ratings_come_back_as_they_were(ratings: Any, now: datetime) -> None:
    first = Rating(str(IMAGE), "n04120489", Verdict.WRONG, "m", now, "anna")
    second = Rating(str(OTHER), "glitter", Verdict.MISSING, "m", now)
    for each in (first, second, first):
        ratings.put(each)

    assert sorted(ratings.scan(), key=lambda each: each.image) == [first, second]


@pytest.mark.parametrize(
    "damage",
    [{"keyword": None}, {"verdict": {"S": "maybe"}}, {"rated_at": {"S": "yesterday"}}, {"by": {"N": "5"}}],
    ids=["no keyword", "no verdict", "no time", "no text"],
)
def test_an_item_that_is_no_rating_is_named_and_the_others_come(dynamodb: Any, now: datetime, damage: Any) -> None:
    warned: list[str] = []
    ratings = DynamoRatings(dynamodb, "ratings", warned.append)
    good = Rating(str(OTHER), "n04120489", Verdict.RIGHT, "m", now, "anna")
    ratings.put(Rating(str(IMAGE), "n04120489", Verdict.WRONG, "m", now, "anna"))
    [item] = dynamodb.scan(TableName="ratings")["Items"]
    damaged = {name: value for name, value in (item | damage).items() if value}
    dynamodb.put_item(TableName="ratings", Item=damaged)
    ratings.put(good)

    assert list(ratings.scan()) == [good]
    assert [str(IMAGE) in line for line in warned] == [True]


def test_a_secret_is_never_at_rest(dynamodb: Any, now: datetime) -> None:
    DynamoWatchers(dynamodb, "watchers").issue(Ticket("secret", IMAGE, now))

    assert "secret" not in str(dynamodb.scan(TableName="watchers")["Items"])
