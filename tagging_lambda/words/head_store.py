"""Stores heads: in this machine's folders, and in a file store by content hash."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BadModel, CallerError
from pipeline.images import BucketPrefix
from pipeline.model_version import CARD_NAME
from pipeline.settings import HEADS_FOLDER, home
from tagging_lambda.model_store import read_verified
from tagging_lambda.words.heads import WEIGHTS_NAME, Head
from tagging_lambda.words.projection import STARTER as STARTER_HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.ports import FileStore

SET_NAME = "heads.json"  # the list of heads published together
NONE = "none"  # instead of a head's name: no head at all
STARTER = "starter"  # the head that ships with the program
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")  # chosen by us: safe in an address, a folder's name and a list
ADDRESS = re.compile(r"s3://[^/]+/(?:.+/)?(?P<sha256>[0-9a-f]{64})/?")
_HISTORY = "history"  # in a head's folder: the heads that it replaced
_FILES = (WEIGHTS_NAME, CARD_NAME)  # the card is written last: if it exists, the head is complete


def check_name(name: str) -> None:
    """Refuse an invalid name.

    Raises:
        CallerError: the name is not valid.
    """
    if not NAME.fullmatch(name) or name in (STARTER, NONE):
        raise CallerError(f"{name!r} is no name of a head: 1 to 32 of a-z 0-9 and -, neither {STARTER!r} nor {NONE!r}")


@dataclass(frozen=True, slots=True)
class InstalledHeads:
    """The heads of this machine, each in a folder of its name.

    Attributes:
        folder: the parent of all heads.
        starter: the folder of the head that ships; None if this copy has none.
    """

    folder: Path
    starter: Path | None = None

    @classmethod
    def of_this_machine(cls) -> InstalledHeads:
        """Return the heads below this machine's data folder, and the one that ships."""
        return cls(home() / HEADS_FOLDER, STARTER_HEAD if (STARTER_HEAD / CARD_NAME).is_file() else None)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names of the shop's own heads, sorted."""
        return tuple(sorted(card.parent.name for card in self.folder.glob(f"*/{CARD_NAME}")))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted; the one that ships is last, so that the shop's own overrule it."""
        return (*self.own_names, *((STARTER,) if self.starter else ()))

    def path(self, name: str) -> Path:
        """Return the folder of the head of that name.

        Raises:
            CallerError: there is none.
        """
        if name == STARTER and self.starter:
            return self.starter
        folder = self.folder / name
        if not NAME.fullmatch(name) or not (folder / CARD_NAME).is_file():
            installed = ", ".join(self.names) or "none; `catalog-tagger learn LABELS.csv --name NAME` makes one"
            raise CallerError(f"no head is called {name!r}; installed: {installed}")
        return folder

    def load(self, names_or_folders: Sequence[str] = ()) -> tuple[Head, ...]:
        """Return these heads, no head for `none`, or all installed ones.

        If two are sure of one branch, the first one counts.

        Raises:
            CallerError: a name has no head.
            BadModel: a head's files are damaged.
        """
        chosen = () if tuple(names_or_folders) == (NONE,) else names_or_folders or self.names
        return tuple(Head.load(self._resolve(text)) for text in chosen)

    def _resolve(self, text: str) -> Path:
        folder = Path(text)
        return folder if (folder / CARD_NAME).is_file() else self.path(text)

    def install(self, name: str, head: Head) -> Path:
        """Install the head under that name, and return its folder. A replaced head is kept for `roll_back`.

        Raises:
            CallerError: the name is not valid for a head.
        """
        check_name(name)
        folder = self.folder / name
        if (folder / CARD_NAME).is_file():
            if Head.load(folder).card == head.card:
                return folder
            _keep(folder)
        head.save(folder)
        return folder

    def remove(self, name: str) -> None:
        """Remove the head of that name, with those it replaced.

        Raises:
            CallerError: there is none, or it ships with the program.
        """
        if name == STARTER:
            raise CallerError("the starter head ships with the program; `--head NAME` chooses which heads speak")
        shutil.rmtree(self.path(name))

    def roll_back(self, name: str) -> Head:
        """Swap the present head with the one it replaced last.

        Raises:
            CallerError: there is no head of that name, or it replaced none.
        """
        folder = self.path(name)
        kept = _kept(folder)
        if not kept:
            raise CallerError(f"the head {name!r} replaced no other; there is nothing to go back to")
        previous = Head.load(kept[-1])
        _keep(folder)
        shutil.rmtree(kept[-1])
        previous.save(folder)
        return previous


def _kept(folder: Path) -> list[Path]:
    history = folder / _HISTORY
    return sorted((path for path in history.iterdir()), key=lambda path: int(path.name)) if history.is_dir() else []


def _keep(folder: Path) -> None:
    """Copy the present head to its history."""
    kept = _kept(folder)
    target = folder / _HISTORY / str(int(kept[-1].name) + 1 if kept else 1)
    Head.load(folder).save(target)


def publish(folders: Sequence[Path], files: FileStore) -> str:
    """Put these heads into the store, and return the name of their list.

    Every name is the sha256 of its content, so that readers get what was published, whoever else may write there. The
    list is written last.
    """
    cards = {folder: hashlib.sha256((folder / CARD_NAME).read_bytes()).hexdigest() for folder in folders}
    listing = json.dumps({"heads": list(cards.values())}).encode()
    address = hashlib.sha256(listing).hexdigest()
    for folder, card_sha256 in cards.items():
        Head.load(folder)  # refuses a damaged head
        for name in _FILES:
            files.write(f"{address}/{card_sha256}/{name}", folder / name)
    if files.read(f"{address}/{SET_NAME}") is None:
        files.write_if(f"{address}/{SET_NAME}", listing, None)
    return address


def fetch_heads(address: str, store: Callable[[BucketPrefix], FileStore], cache: Path) -> tuple[Head, ...]:
    """Return the heads published at ``s3://bucket/prefix/<sha256>``, kept in a folder of this machine.

    Raises:
        BadModel: the address does not end with a hash, or nothing with this hash is published there.
    """
    matched = ADDRESS.fullmatch(address)
    if matched is None:
        raise BadModel(
            f"{address} does not end with a hash; `catalog-tagger heads publish` prints the address of heads"
        )
    files = store(BucketPrefix.parse(address.rstrip("/") + "/"))
    listing = read_verified(address, files, SET_NAME, matched["sha256"])
    try:
        cards = [str(sha256) for sha256 in json.loads(listing)["heads"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{address} is no list of heads ({error})") from error
    return tuple(_fetch(address, files, sha256, cache / sha256) for sha256 in cards)


def _fetch(address: str, files: FileStore, card_sha256: str, folder: Path) -> Head:
    if not (folder / CARD_NAME).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        weights = files.read(f"{card_sha256}/{WEIGHTS_NAME}")
        if weights is None:
            raise BadModel(f"there is no {WEIGHTS_NAME} of the head {card_sha256} at {address}")
        (folder / WEIGHTS_NAME).write_bytes(weights)
        part = folder / f"{CARD_NAME}.part"
        part.write_bytes(read_verified(address, files, f"{card_sha256}/{CARD_NAME}", card_sha256))
        part.replace(folder / CARD_NAME)
    return Head.load(folder)  # checks the weights against the card
