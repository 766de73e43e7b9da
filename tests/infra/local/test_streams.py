"""What a function has still to read of a stream is there after a stop of the embedded AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ministack.core.persistence import _json_default, _json_object_hook
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb, lambda_svc

from infra.local.journaled_ministack import keep_streams

if TYPE_CHECKING:
    import pytest

TABLE, READ = "records", 2  # of three changes


def test_changes_that_nobody_has_read_outlive_a_stop_at_their_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (dynamodb, "_stream_records"),
        (dynamodb, "_stream_trimmed"),
        (lambda_svc, "_dynamodb_stream_positions"),
    ):
        monkeypatch.setattr(module, name, AccountRegionScopedDict())
    for name in ("get_state", "load_persisted_state"):  # which this wraps
        monkeypatch.setattr(dynamodb, name, getattr(dynamodb, name))
    keep_streams()
    changes = [{"eventID": str(number), "dynamodb": {}} for number in range(3)]
    dynamodb._stream_records[TABLE] = changes
    lambda_svc._dynamodb_stream_positions["mapping"] = READ

    saved = json.dumps(dynamodb.get_state(), default=_json_default)
    del dynamodb._stream_records[TABLE]
    dynamodb.load_persisted_state(json.loads(saved, object_hook=_json_object_hook))

    assert dynamodb.stream_records_since(TABLE, READ, limit=10) == changes[READ:]
    assert dynamodb.stream_end_position(TABLE) == len(changes)
