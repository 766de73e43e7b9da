"""Changes in the table's stream, in the order in which each record changed."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.aws.dynamodb import read_wire_record
from pipeline.records import RejectedImage, TaggedImage
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from pipeline.records import Record


@dataclass(frozen=True, slots=True)
class Change:
    """A record after a change, or before its removal. The sequence number is the stream's."""

    sequence: str
    changed_at: datetime
    record: Record
    removed: bool = False

    @property
    def is_visible(self) -> bool:
        """Whether searches show the image now."""
        return not self.removed and isinstance(self.record, TaggedImage | RejectedImage)


def changes_of(event: dict[str, Any]) -> list[Change | UnreadableItem]:
    """Return the changes in an event that AWS Lambda makes from the stream.

    A change to an item that cannot be read is an ``UnreadableItem``: it must not hold up the changes behind it.
    """
    return [_change(entry["dynamodb"]) for entry in event["Records"]]


def _change(entry: dict[str, Any]) -> Change | UnreadableItem:
    removed = "NewImage" not in entry
    record = read_record(entry["OldImage" if removed else "NewImage"])
    if isinstance(record, UnreadableItem):
        return record
    changed_at = datetime.fromtimestamp(float(entry["ApproximateCreationDateTime"]), UTC)
    return Change(entry["SequenceNumber"], changed_at, record, removed)


def read_record(item: dict[str, Any]) -> Record | UnreadableItem:
    """Return the record of an item in such an event."""
    return read_wire_record(_plain(item))


def _plain(value: Any) -> Any:
    """Return the item with its bytes decoded: an event is JSON, and has them in base64."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"B"} and isinstance(value["B"], str):
        return {"B": base64.b64decode(value["B"])}
    return {name: _plain(element) for name, element in value.items()}
