"""The journal of the embedded AWS: what it acknowledged since its last clean stop, so that a hard end loses nothing.

ministack writes its state when it stops, and only then. Here every change of an item and every message is appended to a
file before its request is answered; the next start carries the file out again (DECISIONS.md, 70).

What AWS Lambda says of a batch of the stream that failed needs no entry: the replay writes the items once more, and
they go down the stream again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

JOURNAL_NAME = "journal.jsonl"
UNFINISHED_NAME = "journal.replaying.jsonl"


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item of a table as it became, in DynamoDB's JSON; with ``is_removed`` the item that was deleted."""

    table: str
    item: Mapping[str, Any]
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that a queue took, with its attributes in Amazon SQS's JSON."""

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
    """The file in a folder of the state. One process appends to it; threads of it may do so at once."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet."""
        self._path, self._unfinished = folder / JOURNAL_NAME, folder / UNFINISHED_NAME
        self._lock = Lock()

    def append(self, entry: Entry) -> None:
        """Write the entry; once this returns, it outlives the end of the process."""
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
        """Yield all entries, oldest first, from a file of their own: replaying them appends them again.

        A process that ends in the middle leaves that file, and the next replay begins with it.
        """
        if self._path.exists():
            with self._unfinished.open("a", encoding="utf-8") as unfinished:
                unfinished.write(self._path.read_text(encoding="utf-8"))
            self._path.unlink()
        yield from _read(self._unfinished)

    def end_replay(self) -> None:
        """Forget what was replayed: it stands in the journal again."""
        self._unfinished.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything: the state on disk has it now."""
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> Iterator[Entry]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):  # the process ended while it wrote: nobody got an answer to that request
                return
            [(name, facts)] = json.loads(line).items()
            yield ItemChange(**facts) if name == "item" else SentMessage(**facts)
