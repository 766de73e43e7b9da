"""Tags local files and folders on all cores, without AWS."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.batches import batched
from pipeline.errors import CallerError, ImageRejected
from pipeline.images import SCHEME, check_file_size
from pipeline.model_version import CARD_NAME
from pipeline.not_pictures import lies_beside_photos
from pipeline.ordered_map import map_in_order
from pipeline.reject_reasons import RejectReason
from pipeline.settings import home, model_dir
from tagging_lambda.classify import Classifier
from tagging_lambda.image.reader import ProcessReader, Reader
from tagging_lambda.observe import ObservedPhoto, observe
from tagging_lambda.photo_cache import PhotoCache
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.head_store import InstalledHeads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.facts import PhotoFacts
    from pipeline.keywords import KeywordTag, Vocabulary
    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector
    from tagging_lambda.image.picture import Picture
    from tagging_lambda.words.class_keywords import Taxonomy
    from tagging_lambda.words.heads import Head

CACHE_NAME = "photos.sqlite3"
GROUP = 4  # photos in one batch of the model: faster than one by one, and eight gain nothing more (DECISIONS.md, 80)
GROUPS_PER_WORKER = 2  # submitted ahead, so that no worker waits for the consumer


@dataclass(frozen=True, slots=True)
class TaggedFile:
    """A file with its keywords, most specific first, and its class scores, strongest first."""

    path: Path
    keywords: tuple[KeywordTag, ...]
    class_scores: tuple[ClassScore, ...]
    low_information: bool
    facts: PhotoFacts | None = None
    vector: FeatureVector | None = None


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file that cannot be tagged as it is."""

    path: Path
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class _UnseenPhoto:
    """A photo that the model has not seen yet: the file's bytes and the decoded picture."""

    data: bytes
    picture: Picture


class ClosableReader(Reader, Protocol):
    """A reader that must be closed."""

    def close(self) -> None:
        """Release what the reader holds."""
        ...


@dataclass(frozen=True)
class FileTagger:
    """Tags files with ``workers`` threads. Each has a reader of its own; all share the model."""

    classifier: Classifier
    mapper: KeywordMapper
    make_reader: Callable[[], ClosableReader]
    workers: int
    cache: PhotoCache | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """The mapping from the model's classes to keywords."""
        return self.mapper.taxonomy

    @property
    def vocabulary(self) -> Vocabulary:
        """The keywords that can be given, including those of the heads."""
        return self.mapper.vocabulary

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads in use."""
        return self.mapper.heads

    @property
    def space(self) -> str:
        """The space of the vectors; empty if the model has no projection."""
        return self.classifier.projection.space if self.classifier.projection else ""

    @classmethod
    def load(
        cls, folder: Path, vocabulary: Vocabulary, workers: int | None = None, heads: Sequence[Head] = ()
    ) -> FileTagger:
        """Return a tagger with the model in the folder and these heads, with a worker for each core by default.

        Raises:
            BadModel: there is no usable model.
        """
        classifier = Classifier.load(folder / CARD_NAME)
        mapper = KeywordMapper.of(vocabulary, [known.id for known in classifier.card.classes], heads)
        contract = classifier.card.input
        count = workers or len(os.sched_getaffinity(0))
        return cls(classifier, mapper, lambda: ProcessReader.forked(contract), count)

    def with_cache(self) -> FileTagger:
        """Return this tagger with a cache by content below the home folder, so that no photo is read twice."""
        return replace(
            self, cache=PhotoCache.open(home() / CACHE_NAME, f"{self.classifier.card.version} {self.space}".strip())
        )

    def tag(self, paths: Iterable[Path]) -> Iterator[TaggedFile | RejectedFile]:
        """Yield the result for each file, in the order given, in bounded memory."""
        groups = batched(paths, GROUP)
        first = list(islice(groups, self.workers))
        with self._readers(len(first)) as reader:
            tag_group = partial(self._tag_group, reader=reader)
            ahead = self.workers * GROUPS_PER_WORKER
            for results in map_in_order(tag_group, chain(first, groups), at_once=self.workers, ahead=ahead):
                yield from results

    def _tag_group(self, paths: Sequence[Path], reader: Callable[[], Reader]) -> list[TaggedFile | RejectedFile]:
        """Return the result for each file. Photos that are not cached go through the model as one batch."""
        opened = [self._open(path, reader) for path in paths]
        unseen = [photo for photo in opened if isinstance(photo, _UnseenPhoto)]
        observed = dict(zip(map(id, unseen), self._observe(unseen), strict=True))
        return [
            self._result(path, observed[id(photo)] if isinstance(photo, _UnseenPhoto) else photo)
            for path, photo in zip(paths, opened, strict=True)
        ]

    def _open(self, path: Path, reader: Callable[[], Reader]) -> ObservedPhoto | _UnseenPhoto | ImageRejected:
        """Return the cached observation of the photo, its picture if these bytes are new, or why it cannot be read."""
        try:
            data = bytes_of(path)
            known = self.cache.get(data) if self.cache else None
            return known or _UnseenPhoto(data, reader().read(data))
        except ImageRejected as rejected:
            return rejected

    def _observe(self, photos: Sequence[_UnseenPhoto]) -> list[ObservedPhoto]:
        observed = observe([photo.picture for photo in photos], self.classifier)
        if self.cache:
            for photo, known in zip(photos, observed, strict=True):
                self.cache.put(photo.data, known)
        return observed

    def _result(self, path: Path, photo: ObservedPhoto | ImageRejected) -> TaggedFile | RejectedFile:
        if isinstance(photo, ImageRejected):
            return RejectedFile(path, photo.reason, photo.detail)
        keywords = self.mapper.keywords(photo.class_scores, photo.vector)
        return TaggedFile(path, keywords, photo.class_scores, photo.low_information, photo.facts, photo.vector)

    @contextmanager
    def _readers(self, count: int) -> Iterator[Callable[[], Reader]]:
        """Yield a function that returns the calling thread's own reader; all readers are closed at the end."""
        own = threading.local()
        with ExitStack() as closing:
            # Before the pool has threads, as only a process without others may fork (DECISIONS.md, 168).
            unused = [self.make_reader() for _ in range(count)]
            for made in unused:
                closing.callback(made.close)

            def reader() -> Reader:
                if not hasattr(own, "reader"):
                    own.reader = unused.pop()
                thread_reader: Reader = own.reader
                return thread_reader

            yield reader


def photos_in(
    paths: Sequence[Path], vocabulary: Vocabulary, workers: int | None = None
) -> Iterator[TaggedFile | RejectedFile]:
    """Yield the result for each file of these folders, sorted; files that were read before are not read again.

    `check`, `duplicates`, `similar`, `learn` and `tag -o` share this cache.

    Raises:
        CallerError: a path is neither a file nor a folder; raised before anything is yielded.
        BadModel: there is no usable model.
    """
    files = files_below(paths)
    tagger = FileTagger.load(model_dir(), vocabulary, workers, InstalledHeads.of_this_machine().load())
    return tagger.with_cache().tag(files)


def files_below(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the given files, and the files of the given folders, sorted, without hidden files, lists and notes.

    Raises:
        CallerError: a path is neither a file nor a folder; raised before anything is yielded.
    """
    for path in paths:
        if path.parts[:1] == (SCHEME.rstrip("/"),):  # as a path, s3://bucket/key has lost one of its two slashes
            address = SCHEME + "/".join(path.parts[1:])
            raise CallerError(f"{address} lies in Amazon S3; `catalog-tagger load {address}` has it tagged there")
        if not path.is_dir() and not path.is_file():
            raise CallerError(f"{path} is neither a file nor a folder")
    return (file for path in paths for file in (_photos_below(path) if path.is_dir() else (path,)))


def count_beside_photos(paths: Sequence[Path]) -> int:
    """Return how many files ``files_below`` leaves out of the folders because they are lists or notes."""
    return sum(lies_beside_photos(path.name) for folder in paths if folder.is_dir() for path in _walk(folder))


def _photos_below(folder: Path) -> Iterator[Path]:
    return (path for path in _walk(folder) if not lies_beside_photos(path.name))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def bytes_of(path: Path) -> bytes:
    """Return the file's content.

    Raises:
        ImageRejected: it is too large, no longer exists, or may not be read.
    """
    try:
        check_file_size(path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageRejected(RejectReason.MISSING, "the file no longer exists") from error
    except OSError as error:
        raise ImageRejected(RejectReason.DENIED, f"the file cannot be read ({error.strerror})") from error
