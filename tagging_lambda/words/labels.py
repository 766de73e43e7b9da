"""Reads a shop's own labels: from a CSV with a column `file` or `image` and one `keywords`, or from people's pins."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median
from typing import TYPE_CHECKING

from pipeline.csv_rows import CsvRow, rows
from pipeline.errors import CallerError
from pipeline.images import FILE_SCHEME
from pipeline.keywords import LANGUAGES, Keyword, Use, Vocabulary, fold
from pipeline.records import DecisionKind, Record, TaggedImage
from tagging_lambda.curate.keyword_lookup import keyword_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.unreadable import UnreadableItem

FILE, IMAGE, KEYWORDS = "file", "image", "keywords"
GROUP_COLUMNS = ("product", "contributor", "group")  # the first of these columns in the file groups the photos
FOLDERS_PER_WORD = 2  # with fewer folders a word, folders are words, not products
PHOTOS_PER_PRODUCT = 10  # with more in the median folder, folders are kinds; both chosen by us
S3 = "s3://"
_NO_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo and the shop's keywords for it.

    Attributes:
        source: the photo's file, or its `s3://` address.
        text: its name in the CSV; for a tagged photo, its address.
        keywords: ids, without implied ones; none if it shows none of the shop's words.
        group: the product or contributor it belongs to.
        line: in the CSV; for pins, the photo's number.
    """

    source: Path | str
    text: str
    keywords: frozenset[str]
    group: str
    line: int


@dataclass(frozen=True, slots=True)
class Labels:
    """A shop's labels of its photos.

    Attributes:
        photos: in the order of the file.
        vocabulary: includes the new words.
        new_words: the words that the taxonomy lacks.
    """

    photos: tuple[LabelledPhoto, ...]
    vocabulary: Vocabulary
    new_words: tuple[Keyword, ...]


def read_labels(
    path: Path, folder: Path, vocabulary: Vocabulary, below: str | None = None, *, files_may_be_gone: bool = False
) -> Labels:
    """Return every row of the file.

    A word in the singular or plural names the taxonomy's keyword. A word that the taxonomy lacks becomes the shop's
    own, below the keyword that its last word names (`formal shoes`: shoe), or below `below`.

    Args:
        path: the CSV. Its column `product`, `contributor` or `group` groups the photos.
        folder: the base of the column `file`.
        vocabulary: the taxonomy's.
        below: the id of the parent of new words.
        files_may_be_gone: whether files may be missing, since an export may have their vectors.

    Raises:
        CallerError: a row is invalid; the message names its line and column.
    """
    table = list(rows(path, (KEYWORDS,)))
    if not table:
        raise CallerError(f"{path} names no photo")
    if not {FILE, IMAGE} & table[0].cells.keys():
        raise CallerError(f"{path} has the columns {', '.join(table[0].cells)}; it needs file or image, and keywords")
    words = _Words.of(table, vocabulary, below)
    groups = photo_groups(table, len(words.ids))
    seen: dict[str, int] = {}
    photos = []
    for row, group in zip(table, groups, strict=True):
        column = FILE if FILE in row else IMAGE
        text = row.exact(column)
        if not text.strip():
            raise row.mistake(column, "is empty")
        if text in seen:
            raise row.mistake(column, f"{text} stands twice; line {seen[text]:,} names it as well")
        seen[text] = row.line
        source = _source(row, column, folder)
        if isinstance(source, Path) and not files_may_be_gone and not source.is_file():
            raise row.mistake(column, f"there is no file {source}")
        photos.append(LabelledPhoto(source, text, words.of_row(row), group, row.line))
    return Labels(tuple(photos), words.vocabulary, words.new)


def pinned_labels(records: Iterable[Record | UnreadableItem], vocabulary: Vocabulary) -> Labels:
    """Return the tagged photos with pinned keywords, labelled with those.

    Photos of one product belong together. Keywords that the vocabulary no longer has are skipped; so are photos
    without pins, as nobody labelled them.

    Raises:
        CallerError: nothing is pinned.
    """
    tagged = [record for record in records if isinstance(record, TaggedImage)]
    photos: list[LabelledPhoto] = []
    for record in sorted(tagged, key=lambda record: str(record.observation.image)):  # a scan has no order
        keywords, name = _pins(record, vocabulary), str(record.observation.image)
        if keywords:
            group = record.observation.product or name
            photos.append(LabelledPhoto(name, name, keywords, group, len(photos) + 1))
    if not photos:
        raise CallerError("nobody has pinned a keyword to a tagged photo; `catalog-tagger pin KEYWORD IMAGE` does")
    return Labels(tuple(photos), vocabulary, ())


def _pins(record: TaggedImage, vocabulary: Vocabulary) -> frozenset[str]:
    """Return the photo's pinned keywords, without those that another pin implies."""
    pinned = {decision.keyword_id for decision in record.decisions if decision.kind is DecisionKind.PIN}
    known = pinned & vocabulary.nodes.keys()
    return frozenset(known.difference(*(vocabulary.ancestors(keyword_id) for keyword_id in known)))


def _source(row: CsvRow, column: str, folder: Path) -> Path | str:
    text = row.exact(column)
    if text.startswith(S3):
        return text
    return folder / text.removeprefix(FILE_SCHEME)  # as in an export of local photos; an absolute path stays


def photo_groups(table: Sequence[CsvRow], words: int) -> list[str]:
    """Return the group of each row's photo: by a column, by its folder, or itself; ``words`` is how many differ."""
    if not table:
        return []
    column = next((name for name in GROUP_COLUMNS if name in table[0].cells), None)
    names = [row.exact(FILE) or row.exact(IMAGE) for row in table]
    if column:
        return [row[column] or name for row, name in zip(table, names, strict=True)]
    folders = [str(PurePosixPath(name).parent) for name in names]
    return folders if _are_products(folders, words) else names


def _are_products(folders: Sequence[str], words: int) -> bool:
    """Return whether the photos' folders are products: many for each word, with few photos each."""
    sizes = Counter(folders).values()
    return len(sizes) >= FOLDERS_PER_WORD * words and median(sizes) <= PHOTOS_PER_PRODUCT


@dataclass(frozen=True, slots=True)
class _Words:
    """The keyword that each text of the file names."""

    ids: Mapping[str, str]
    vocabulary: Vocabulary
    new: tuple[Keyword, ...]

    @classmethod
    def of(cls, table: Iterable[CsvRow], vocabulary: Vocabulary, below: str | None) -> _Words:
        first_rows: dict[str, CsvRow] = {}
        for row in table:
            for text in row.several(KEYWORDS):
                first_rows.setdefault(text, row)
        squeezed = _squeezed_spellings(vocabulary)
        senses = {text: _senses(text, vocabulary, squeezed) for text in first_rows}
        departments = Counter(
            top for found in senses.values() if len(found) == 1 for top in _departments(found[0], vocabulary)
        )
        ids = {
            text: _best_sense(text, found, departments, first_rows[text], vocabulary)
            for text, found in senses.items()
            if found
        }
        new: dict[str, Keyword] = {}
        for text in [*_squeezed_out(ids, vocabulary), *(text for text in first_rows if text not in ids)]:
            keyword = own_keyword(text, vocabulary, below)
            ids[text] = keyword.id
            if keyword.id not in vocabulary.nodes:
                new[keyword.id] = keyword
        extended = Vocabulary(dict(vocabulary.nodes) | new, vocabulary.version, vocabulary.languages)
        return cls(ids, extended, tuple(new.values()))

    def of_row(self, row: CsvRow) -> frozenset[str]:
        """Return the row's keywords, without those that another one implies."""
        keywords = {self.ids[text] for text in row.several(KEYWORDS)}
        above = {ancestor for keyword in keywords for ancestor in self.vocabulary.ancestors(keyword)}
        return frozenset(keywords - above)


def _senses(text: str, vocabulary: Vocabulary, squeezed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the keywords that the text names as it is, or in the singular; none if the taxonomy has none."""
    if text in vocabulary.nodes or ":" in text:
        return (text,)
    forms = (text, *singulars(text))
    spelled = next((vocabulary.spelled(form) for form in forms if vocabulary.spelled(form)), ())
    return spelled or next((squeezed[_squeeze(form)] for form in forms if _squeeze(form) in squeezed), ())


def _departments(keyword_id: str, vocabulary: Vocabulary) -> set[str]:
    line = (keyword_id, *vocabulary.ancestors(keyword_id)) if keyword_id in vocabulary.nodes else ()
    return {node for node in line if vocabulary.nodes[node].is_emitted}


def _best_sense(
    text: str, senses: Sequence[str], departments: Counter[str], row: CsvRow, vocabulary: Vocabulary
) -> str:
    """Return the sense that fits the file's other words: among garments, a polo is no ice cream.

    Raises:
        CallerError: the other words do not decide.
    """
    votes = {sense: sum(departments[top] for top in _departments(sense, vocabulary)) for sense in senses}
    best = max(senses, key=votes.__getitem__)
    if len(senses) > 1 and list(votes.values()).count(votes[best]) == 1:
        return best
    try:
        return keyword_named(text if len(senses) > 1 or ":" in text else best, vocabulary)
    except CallerError as error:
        raise row.mistake(KEYWORDS, str(error)) from error


def _squeezed_spellings(vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    """Return the ids by each keyword's names in the first language, without spaces and hyphens: `tshirt`."""
    spellings: dict[str, dict[str, None]] = {}
    for keyword in vocabulary.emitted:
        for word in keyword.words[LANGUAGES[0]]:
            spellings.setdefault(_squeeze(word), {})[keyword.id] = None
    return {word: tuple(ids) for word, ids in spellings.items()}


def _squeeze(text: str) -> str:
    return fold(text).replace("-", "").replace(" ", "")


def singulars(text: str) -> list[str]:
    """Return the possible singulars of an English plural, or of a word with hyphens."""
    plain = fold(text.replace("-", " ").replace("_", " "))
    endings = (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""))
    return [plain, *(plain.removesuffix(end) + single for end, single in endings if plain.endswith(end))]


def _squeezed_out(ids: Mapping[str, str], vocabulary: Vocabulary) -> list[str]:
    """Return the texts that name a keyword by a synonym while another text uses its first name.

    A shop that tells caps from hats means two things, even where the taxonomy has one keyword for both.
    """
    texts: dict[str, list[str]] = {}
    for text, keyword_id in ids.items():
        texts.setdefault(keyword_id, []).append(text)
    squeezed_out = []
    for keyword_id, rivals in texts.items():
        first, *synonyms = map(_squeeze, vocabulary.nodes[keyword_id].words[LANGUAGES[0]])
        forms = {text: set(map(_squeeze, singulars(text))) for text in rivals}
        if any(first in forms[text] for text in rivals):
            squeezed_out += [text for text in rivals if first not in forms[text] and forms[text] & set(synonyms)]
    return squeezed_out


def own_keyword(text: str, vocabulary: Vocabulary, below: str | None = None) -> Keyword:
    """Return the shop's own keyword for the text."""
    slug = _NO_SLUG.sub("-", fold(text)).strip("-")
    if not slug:
        raise CallerError(f"{text!r} cannot become a keyword: it has no letter from a to z and no digit")
    parent = below or _parent_by_last_word(text, vocabulary)
    words = {LANGUAGES[0]: (text.replace("_", " ").strip(),)}
    return Keyword(f"shop-{slug}", (parent,) if parent else (), Use.KEYWORD, None, words)


def _parent_by_last_word(text: str, vocabulary: Vocabulary) -> str | None:
    """Return the only keyword that the last word alone names, if any: formal shoes are shoes."""
    parts = fold(text.replace("-", " ")).split()
    for form in singulars(parts[-1]) if len(parts) > 1 else ():
        ids = vocabulary.spelled(form)
        if len(ids) == 1:
            return ids[0]
    return None
