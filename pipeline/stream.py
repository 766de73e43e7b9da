"""What the table's stream tells: how records changed, in the order in which each changed."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.aws.dynamodb import record_of_wire
from pipeline.records import RejectedImage, TaggedImage

if TYPE_CHECKING:
    from pipeline.records import Record


@dataclass(frozen=True, slots=True)
class Change:
    """A record as it became, or as it was before it was removed. The sequence number is the stream's."""

    sequence: str
    changed_at: datetime
    record: Record
    removed: bool = False

    @property
    def is_there(self) -> bool:
        """Whether there is an image to be shown now."""
        return not self.removed and isinstance(self.record, TaggedImage | RejectedImage)


def changes_of(event: dict[str, Any]) -> list[Change]:
    """Return the changes in an event by which AWS Lambda hands over a part of the stream."""
    return [_change(entry["dynamodb"]) for entry in event["Records"]]


def _change(told: dict[str, Any]) -> Change:
    removed = "NewImage" not in told
    return Change(
        sequence=told["SequenceNumber"],
        changed_at=datetime.fromtimestamp(float(told["ApproximateCreationDateTime"]), UTC),
        record=record_told(told["OldImage" if removed else "NewImage"]),
        removed=removed,
    )


def record_told(item: dict[str, Any]) -> Record:
    """Return the record of an item in such an event."""
    return record_of_wire(_plain(item))


def _plain(value: Any) -> Any:
    """Return the item with its bytes as bytes: an event is JSON, and has them as texts in base64."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"B"} and isinstance(value["B"], str):
        return {"B": base64.b64decode(value["B"])}
    return {name: _plain(each) for name, each in value.items()}
