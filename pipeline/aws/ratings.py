"""Ratings in Amazon DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.aws.clients import client
from pipeline.aws.errors import translated
from pipeline.ratings import Rating, Verdict
from pipeline.stack import find_stack

IMAGE, PART = "image", "part"  # the keys of the table


@dataclass(frozen=True)
class DynamoRatings:
    """Ratings in DynamoDB, as ``Ratings`` promises. Items that are not ratings are skipped, with a call of ``warn``."""

    dynamodb: Any
    table_name: str
    warn: Callable[[str], None] = print

    def put(self, rating: Rating) -> None:
        """Put the rating."""
        texts = {
            IMAGE: rating.image,
            PART: rating.part,
            "keyword": rating.keyword,
            "verdict": str(rating.verdict),
            "model_version": rating.model_version,
            "rated_at": rating.rated_at.isoformat(),
        }
        if rating.by:
            texts["by"] = rating.by
        item = {name: {"S": text} for name, text in texts.items()}
        with translated(self.table_name):
            self.dynamodb.put_item(TableName=self.table_name, Item=item)

    def of_image(self, image: str) -> Iterator[Rating]:
        """Query the items of one image."""
        key = {":image": {"S": image}}
        return self._pages("query", KeyConditionExpression=f"{IMAGE} = :image", ExpressionAttributeValues=key)

    def scan(self) -> Iterator[Rating]:
        """Scan the table."""
        return self._pages("scan")

    def _pages(self, operation: str, **parameters: Any) -> Iterator[Rating]:
        pages = self.dynamodb.get_paginator(operation)
        with translated(self.table_name):
            for page in pages.paginate(TableName=self.table_name, **parameters):
                for item in page["Items"]:
                    yield from self._read(item)

    def _read(self, item: dict[str, Any]) -> Iterator[Rating]:
        try:
            rating = _rating({name: value["S"] for name, value in item.items()})
        except (KeyError, ValueError) as error:
            image, part = (item[name]["S"] for name in (IMAGE, PART))
            self.warn(f"{self.table_name}: the item {image!r}, {part!r} is no rating and left out ({error!r})")
            return
        yield rating


def ratings_of_stack(warn: Callable[[str], None]) -> DynamoRatings:
    """Return the ratings of the stack that is deployed. ``warn`` is called for items that are not ratings.

    Raises:
        NoStack: none is.
    """
    stack = find_stack()
    return DynamoRatings(client("dynamodb", stack.endpoint_url), stack.ratings_table_name, warn)


def _rating(texts: dict[str, str]) -> Rating:
    return Rating(
        image=texts[IMAGE],
        keyword=texts["keyword"],
        verdict=Verdict(texts["verdict"]),
        model_version=texts["model_version"],
        rated_at=datetime.fromisoformat(texts["rated_at"]),
        by=texts.get("by", ""),
    )
