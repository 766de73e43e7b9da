"""The process of the embedded AWS: ministack with a journal of what it acknowledges (DECISIONS.md, 70).

It also verifies the signatures that an API with AWS_IAM requires; ministack only checks that the header is there.

ministack has no hook for this, so the functions of the pinned version through which all changes pass are wrapped.
``tests/infra/local/test_run.py`` kills the process and checks that they do.
"""

from __future__ import annotations

import copy
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb, eventbridge, lambda_svc, s3, sqs

from infra.local.journal import Entry, ItemChange, Journal, SentMessage
from infra.local.signatures import GatewayRequest, SignatureAuthorizer
from pipeline.aws.clients import LOCAL_KEY, LOCAL_REGION
from pipeline.errors import Denied

SAVED = ("dynamodb.json", "sqs.json")  # the state that the journal protects
STREAM_POLL_S = 0.25  # chosen by us: AWS Lambda asks four times a second
UNREAD, READ = "unread_stream_records", "read_stream_records"  # our names in the saved state of DynamoDB


def journal_items(journal: Journal) -> None:
    """Journal every change of an item before its request is answered."""
    emit = dynamodb._emit_stream_event

    def emit_and_append(table: str, event: str, old: Any, new: Any, *rest: Any, **named: Any) -> None:
        journal.append(ItemChange(table, new) if new is not None else ItemChange(table, old, is_removed=True))
        emit(table, event, old, new, *rest, **named)

    dynamodb._emit_stream_event = emit_and_append


def journal_messages(journal: Journal) -> None:
    """Journal every message that a queue accepts: from callers, from S3, and from EventBridge."""
    send, deliver_s3, deliver_event = sqs._act_send_message, s3._deliver_event_to_sqs, eventbridge._dispatch_to_sqs

    def send_and_append(data: dict[str, Any], url: str) -> dict[str, Any]:
        answer: dict[str, Any] = send(data, url)
        queue = str(data.get("QueueUrl", url)).rsplit("/", 1)[-1]
        journal.append(SentMessage(queue, data["MessageBody"], data.get("MessageAttributes") or {}))
        return answer

    def deliver_s3_and_append(arn: str, event: Mapping[str, Any], *rest: Any, **named: Any) -> None:
        journal.append(SentMessage(arn.rsplit(":", 1)[-1], json.dumps(event)))
        deliver_s3(arn, event, *rest, **named)

    def deliver_event_and_append(queue: Any, payload: str, *rest: Any, **named: Any) -> None:
        journal.append(SentMessage(str(queue.resource), payload))
        deliver_event(queue, payload, *rest, **named)

    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = send_and_append
    s3._deliver_event_to_sqs = deliver_s3_and_append
    eventbridge._dispatch_to_sqs = deliver_event_and_append


def verify_signatures(authorize: SignatureAuthorizer) -> None:
    """Refuse requests to routes with AWS_IAM that are not signed as AWS asks."""
    handle = app._handle_execute_api_request

    async def verify_and_handle(  # noqa: PLR0913, PLR0917 - the parameters of what is wrapped
        host: str,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        raw_path: str | None = None,
        raw_query_string: str | None = None,
    ) -> Any:
        if _needs_signature(host, path, method):
            try:
                authorize(GatewayRequest(method, raw_path or path, raw_query_string or "", headers, body))
            except Denied as denied:
                message = json.dumps({"message": str(denied)}).encode()
                return int(HTTPStatus.FORBIDDEN), {"Content-Type": "application/json"}, message
        return await handle(host, path, method, headers, body, query, raw_path, raw_query_string)

    app._handle_execute_api_request = verify_and_handle


def _needs_signature(host: str, path: str, method: str) -> bool:
    parsed = app._parse_execute_api_url(host, path)
    if parsed is None or parsed[2].startswith("/@connections/"):  # the functions' own calls
        return False
    api_id, first_part, rest = parsed
    stage, api_path = app._resolve_stage_and_path(api_id, first_part, rest)
    return bool(app._execute_api_authorization_type(api_id, stage, method, api_path) == "AWS_IAM")


def keep_streams() -> None:
    """Keep a table's stream over a stop, as far as a function has still to read it.

    ministack saves the functions' positions in the stream without the stream itself. A function would miss the changes
    that it had not read, and then as many new ones as its position counts.
    """
    # To write the unread changes once more brings no change: equal items make none (DECISIONS.md, 107).
    get_state, load = dynamodb.get_state, dynamodb.load_persisted_state

    def get_state_and_streams() -> dict[str, Any]:
        return {**get_state(), **unread_streams()}

    def load_state_and_streams(state: Mapping[str, Any]) -> None:
        load(state)
        dynamodb._stream_records.update(state.get(UNREAD, {}))
        dynamodb._stream_trimmed.update(state.get(READ, {}))

    dynamodb.get_state, dynamodb.load_persisted_state = get_state_and_streams, load_state_and_streams


def unread_streams() -> dict[str, AccountRegionScopedDict]:
    """Return the changes that a function has still to read, and for each table how many come before them."""
    read = min((position for _, position in lambda_svc._dynamodb_stream_positions.all_items()), default=0)
    unread, trimmed = AccountRegionScopedDict(), AccountRegionScopedDict()
    for (account, region, table), records in dynamodb._stream_records.all_items():
        forgotten = dynamodb._stream_trimmed.get_scoped(account, region, table, 0)
        unread.set_scoped(account, region, table, copy.deepcopy(records[max(0, read - forgotten) :]))
        trimmed.set_scoped(account, region, table, max(read, forgotten))
    return {UNREAD: unread, READ: trimmed}


def read_streams_aside() -> None:
    """Read the streams in a thread of their own, and queues meanwhile, as AWS Lambda does.

    ministack's one thread waits for each call of a stream's function, and reads no queue meanwhile (DECISIONS.md, 110).
    """
    poll, begin = lambda_svc._poll_dynamodb_streams, lambda_svc._ensure_poller
    begun = threading.Event()

    def poll_on() -> None:
        while True:
            try:
                has_more = poll()
            except Exception as error:  # noqa: BLE001 - as ministack's own thread goes on
                print(f"a stream was not read: {error!r}", flush=True)
                has_more = False
            if not has_more:
                time.sleep(STREAM_POLL_S)

    def begin_both() -> None:
        begin()
        if not begun.is_set():
            begun.set()
            threading.Thread(target=poll_on, name="streams", daemon=True).start()

    lambda_svc._poll_dynamodb_streams = bool  # which says that nothing was there
    lambda_svc._ensure_poller = begin_both


def replay_after_load(journal: Journal) -> None:
    """Replay the journal onto the loaded state, before any request is answered."""
    load = app._load_persisted_state

    def load_and_replay() -> None:
        load()
        for entry in journal.begin_replay():
            replay(entry)
        journal.end_replay()

    app._load_persisted_state = load_and_replay


def clear_after_save(journal: Journal, state: Path) -> None:
    """Clear the journal once the state is on disk. It is checked, because ministack only logs a failed write."""
    save = app.save_all

    def save_and_clear(services: Mapping[str, Callable[[], Any]]) -> None:
        began_s = time.time()
        save(services)
        saved = [state / name for name in SAVED]
        if all(path.exists() and path.stat().st_mtime >= began_s - 1 for path in saved):
            journal.clear()

    app.save_all = save_and_clear


def replay(entry: Entry) -> None:
    """Repeat the change. Both are idempotent: an item is written whole, and a message only asks for a reconcile."""
    match entry:
        case SentMessage(queue, body, attributes):
            try:
                sqs._act_send_message({"MessageBody": body, "MessageAttributes": attributes}, sqs._queue_url(queue))
            except sqs._Err as error:
                print(
                    f"the journal has a message for a queue that no longer exists: {queue}: {error.message}", flush=True
                )
        case ItemChange(table, item, is_removed=False):
            dynamodb._put_item({"TableName": table, "Item": item})
        case ItemChange(table, item):
            names = [part["AttributeName"] for part in dynamodb._tables[table]["KeySchema"]]
            dynamodb._delete_item({"TableName": table, "Key": {name: item[name] for name in names}})


def main() -> None:
    """Serve until a signal ends it."""
    state = Path(os.environ["STATE_DIR"])
    journal = Journal(state)
    journal_items(journal)
    journal_messages(journal)
    keep_streams()
    read_streams_aside()
    replay_after_load(journal)
    clear_after_save(journal, state)
    verify_signatures(SignatureAuthorizer({LOCAL_KEY: LOCAL_KEY}, LOCAL_REGION))
    app.main()


if __name__ == "__main__":
    main()
