"""The journal of the embedded AWS: what it acknowledged since its last clean stop, so that a crash loses nothing.

ministack writes its state only when it stops. Here every change of an item and every message is appended to a file
before its request is answered, and the next start replays the file (DECISIONS.md, 70).

AWS Lambda's messages about failed batches of the stream need no entry: the replay writes the items again, and so they
go through the stream again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

JOURNAL_NAME = "journal.jsonl"
UNFINISHED_NAME = "journal.replaying.jsonl"


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item of a table after a change, in DynamoDB's JSON; with ``is_removed``, the item that was deleted."""

    table: str
    item: Mapping[str, Any]
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that a queue accepted, with its attributes in Amazon SQS's JSON."""

    queue: str
    body: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


Entry = ItemChange | SentMessage


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many changes of items and messages a journal holds."""

    items: int
    messages: int


class Journal:
    """A file in the folder of the state. One process appends to it, from any number of threads."""

    def __init__(self, folder: Path) -> None:
        """Name the files, without opening them."""
        self._path, self._unfinished = folder / JOURNAL_NAME, folder / UNFINISHED_NAME
        self._lock = Lock()

    def append(self, entry: Entry) -> None:
        """Write the entry; once this returns, the entry survives the end of the process."""
        name = "item" if isinstance(entry, ItemChange) else "message"
        facts = {attribute: getattr(entry, attribute) for attribute in entry.__dataclass_fields__}
        line = json.dumps({name: facts}) + "\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)

    def count(self) -> Recovered:
        """Return what ``begin_replay`` would yield."""
        kinds = Counter(type(entry) for path in (self._unfinished, self._path) for entry in _read(path))
        return Recovered(kinds[ItemChange], kinds[SentMessage])

    def begin_replay(self) -> Iterator[Entry]:
        """Yield all entries, oldest first, from a separate file, because replaying them appends them again.

        A process that ends in the middle leaves that file, and the next replay starts with it.
        """
        if self._path.exists():
            with self._unfinished.open("a", encoding="utf-8") as unfinished:
                unfinished.write(self._path.read_text(encoding="utf-8"))
            self._path.unlink()
        yield from _read(self._unfinished)

    def end_replay(self) -> None:
        """Delete the replayed entries: the journal contains them again."""
        self._unfinished.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all entries: the saved state contains them now."""
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> Iterator[Entry]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):  # the process ended during the write, so its request was never answered
                return
            [(name, facts)] = json.loads(line).items()
            yield ItemChange(**facts) if name == "item" else SentMessage(**facts)
