"""The verb rate: people say which keywords are right, wrong or missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import CallerError
from pipeline.http_event import CREATED, Answer, choice_in, json_answer, text_in
from pipeline.images import MAX_KEY_BYTES, ImageRef
from pipeline.keywords import fold
from pipeline.ratings import Rating, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.http_event import Request, Route
    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock, Ratings

MOST = 50  # ratings of one request, chosen by us: every keyword of a photo, by several models
MAX_WORD_CHARACTERS = 60  # chosen by us: the vocabulary's longest word has 40
MAX_VERSION_CHARACTERS = 64  # chosen by us
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")  # a photo that lies nowhere, by its content


@dataclass(frozen=True)
class Rater:
    """Keeps what people say of photos in buckets that are the catalogue's."""

    ratings: Ratings
    vocabulary: Vocabulary
    buckets: Collection[str]
    clock: Clock

    def rate(self, documents: list[Any], by: str) -> int:
        """Keep these ratings, all or none of them, and return how many they are.

        Raises:
            CallerError: one of them says nothing that can be meant.
        """
        for rating in [self._rating(document, by) for document in documents]:
            self.ratings.put(rating)
        return len(documents)

    def _rating(self, document: Any, by: str) -> Rating:
        if not isinstance(document, dict):
            raise CallerError("a rating must be a JSON object: image, keyword, verdict, model_version")
        image = self._image(text_in(document, "image", MAX_KEY_BYTES + 80))
        verdict = choice_in(document, "verdict", Verdict)
        keyword = self._keyword(text_in(document, "keyword", MAX_WORD_CHARACTERS), verdict)
        version = text_in(document, "model_version", MAX_VERSION_CHARACTERS)
        return Rating(image, keyword, verdict, version, self.clock(), by)

    def _image(self, text: str) -> str:
        if _DIGEST.fullmatch(text):
            return text
        image = ImageRef.parse(text)
        if image.bucket not in self.buckets:
            raise CallerError(f"{image.bucket!r} is not a bucket of the catalogue")
        return str(image)

    def _keyword(self, text: str, verdict: Verdict) -> str:
        """Return the keyword's id; a missing one may be a word that the vocabulary lacks, and should have."""
        if text in self.vocabulary.nodes:
            return text
        found = self.vocabulary.spelled(text)
        if found:
            return found[0]
        if verdict is not Verdict.MISSING:
            raise CallerError(f"no keyword is called {text!r}")
        word = fold(text)
        # A space or an accent alone folds to nothing, and one sign of Arabic to eighteen letters.
        if not 1 <= len(word) <= MAX_WORD_CHARACTERS:
            raise CallerError(f"{text!r} is no word of 1 to {MAX_WORD_CHARACTERS} letters")
        return word


def make_routes(rater: Rater) -> Mapping[str, Route]:
    """Return what answers the route: POST /ratings keeps one rating, or a list of them."""

    def rate(request: Request) -> Answer:
        document = request.document()
        asked = document.get("ratings", [document])
        if not isinstance(asked, list) or not 1 <= len(asked) <= MOST:
            raise CallerError(f"'ratings' must be a list of 1 to {MOST} ratings")
        return json_answer({"kept": rater.rate(asked, request.caller)}, CREATED)

    return {"POST /ratings": rate}
