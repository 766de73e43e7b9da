"""Results of uploads for those who wait for them: whichever comes first, the result or the browser that waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.keyword_names import KeywordNames
from pipeline.stream import changes_of
from pipeline.unreadable import UnreadableItems, readable
from pipeline.watchers import UPLOADS_PREFIX, Waiting
from results_sink.report import record_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.images import ImageRef
    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock, Connections, RecordTable, Watchers
    from pipeline.records import Record

MAX_MESSAGE_CHARACTERS = 512  # chosen by us: a ticket, a language, and room to spare
OK = {"statusCode": 200}


@dataclass(frozen=True)
class Notifier:
    """Sends results to those who wait for them."""

    watchers: Watchers
    connections: Connections
    vocabulary: Vocabulary
    clock: Clock

    def notify(self, record: Record) -> int:
        """Send the record to every connection that waits for its image, and return how many received it.

        None of them waits any longer: it has its result, or it is closed for good.
        """
        image, sent = record.observation.image, 0
        for waiting in self.watchers.waiting_for(image, self.clock()):
            sent += self.send(record, waiting)
            self.watchers.forget(image, waiting.connection)
        return sent

    def send(self, record: Record, waiting: Waiting) -> bool:
        """Send the record through one connection, and return whether it was open."""
        document = record_document(record, KeywordNames(self.vocabulary, waiting.language))
        return self.connections.send(waiting.connection, {"kind": "record", "record": document})


@dataclass(frozen=True)
class WatchAdmission:
    """Lets connections that have a ticket watch."""

    notifier: Notifier
    table: RecordTable

    def admit(self, connection: str, message: str) -> bool:
        """Let the connection watch the image of its ticket, and return whether the ticket was good.

        Waiting begins before the record is read: a record written in between is sent twice, and never lost.
        """
        secret, language = self._read(message)
        image = self.notifier.watchers.image_of(secret, self.notifier.clock()) if secret else None
        if image is None:
            # Without a reason: whether the ticket was wrong, stale or somebody else's is not for a stranger to learn.
            self.notifier.connections.close(connection)
            return False
        waiting = Waiting(connection, language)
        self.notifier.watchers.watch(image, waiting, self.notifier.clock())
        self._send_if_known(image, waiting)
        return True

    def _send_if_known(self, image: ImageRef, waiting: Waiting) -> None:
        for record in readable(self.table.get_many([image]).values()):
            if self.notifier.send(record, waiting):
                self.notifier.watchers.forget(image, waiting.connection)

    def _read(self, message: str) -> tuple[str, str]:
        languages = self.notifier.vocabulary.languages
        if len(message) > MAX_MESSAGE_CHARACTERS:
            return "", languages[0]
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return "", languages[0]
        if not isinstance(document, dict):
            return "", languages[0]
        secret, language = document.get("ticket"), document.get("language")
        return secret if isinstance(secret, str) else "", language if language in languages else languages[0]


def make_watch_handler(admission: WatchAdmission) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the handler of what browsers send through their connections."""

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        del context
        admission.admit(event["requestContext"]["connectionId"], event.get("body") or "")
        return OK

    return handle


def make_notify_handler(notifier: Notifier) -> Callable[[dict[str, Any], Any], None]:
    """Return the handler of the table's stream."""

    def handle(event: dict[str, Any], context: Any) -> None:
        del context
        for record in newest_of(event):
            notifier.notify(record)

    return handle


def newest_of(event: dict[str, Any]) -> list[Record]:
    """Return the newest record of each upload in a batch of the stream, in the order they were written."""
    newest: dict[ImageRef, Record] = {}
    for change in UnreadableItems().exclude_from(changes_of(event)):
        image = change.record.observation.image
        if image.key.startswith(UPLOADS_PREFIX) and not change.removed:
            newest.pop(image, None)
            newest[image] = change.record
    return list(newest.values())
