"""What a function has still to read of a stream is there after a stop of the embedded AWS."""

from __future__ import annotations

import json
from threading import Event
from threading import enumerate as enumerate_threads
from typing import TYPE_CHECKING

from ministack.core.persistence import _json_default, _json_object_hook
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb, lambda_svc

from infra.local import journaled_ministack
from infra.local.journaled_ministack import keep_streams, read_streams_aside

if TYPE_CHECKING:
    import pytest

WAIT_S = 10
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


def test_queues_are_read_while_a_function_works_on_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    called, ended = Event(), Event()

    def poll() -> bool:
        called.set()
        return not ended.wait(WAIT_S)

    monkeypatch.setattr(lambda_svc, "_poll_dynamodb_streams", poll)
    monkeypatch.setattr(lambda_svc, "_ensure_poller", lambda: None)  # the thread that reads the queues
    monkeypatch.setattr(journaled_ministack, "STREAM_POLL_S", WAIT_S)
    read_streams_aside()
    try:
        lambda_svc._ensure_poller()
        lambda_svc._ensure_poller()

        assert called.wait(WAIT_S)
        assert lambda_svc._poll_dynamodb_streams() is False  # as far as that thread knows
        assert [thread.name for thread in enumerate_threads()].count("streams") == 1
    finally:
        ended.set()
