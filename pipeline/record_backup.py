"""The part of a record that an export stores beside its search columns, so that the record can be restored."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.records import TaggedImage
from pipeline.table_layout import read_record, to_item
from pipeline.vectors import FeatureVector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipeline.records import Record
    from pipeline.unreadable import UnreadableItem

_KEPT = ("class_scores", "decisions", "overruled", "previous")  # attributes that have no column of their own
_BYTES, _SCALE = "base64", "vector_scale"


def pack_backup(record: Record) -> bytes:
    """Return, as JSON in UTF-8, what the other columns of an export lack of the record: above all the decisions."""
    item = to_item(record, record.revision)
    kept: dict[str, Any] = {name: item[name] for name in _KEPT if name in item}
    if isinstance(record, TaggedImage) and record.vector:
        kept[_SCALE] = record.vector.scale
    return json.dumps(kept, default=_plain, separators=(",", ":"), ensure_ascii=False).encode()


def restore_record(row: Mapping[str, Any]) -> Record | UnreadableItem:
    """Return the record that a row of an export was made from; ``row`` has a value or None for each column."""
    kept = json.loads(row["backup"], object_hook=_bytes)
    scale = kept.pop(_SCALE, None)
    item = {name: value for name, value in row.items() if value is not None} | kept
    item |= {name: _text(item[name]) for name in ("observed_at", "object_time") if name in item}
    item["keywords"] = [
        {"id": tag["keyword_id"], "score": tag["score"], "source": tag["source"]} for tag in item.get("keywords", ())
    ]
    if scale is not None:
        item["vector"] = FeatureVector(row["vector_space"], row["vector"], scale).pack()
    return read_record(item)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    raise TypeError(f"a record holds a {type(value).__name__}")


def _bytes(document: dict[str, Any]) -> Any:
    return base64.b64decode(document[_BYTES]) if document.keys() == {_BYTES} else document


def _text(moment: datetime) -> str:
    return moment.isoformat()
