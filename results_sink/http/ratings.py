"""The route for people's ratings of keywords: right, wrong or missing."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from pipeline.errors import CallerError
from pipeline.http import catalogue as answers
from pipeline.http.models import ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary, fold
from pipeline.ports import Clock, Ratings, RecordTable
from pipeline.ratings import Rating, Verdict

RatedImage = Annotated[
    str,
    Query(
        min_length=1,
        max_length=answers.MAX_ID_CHARACTERS + 80,
        description="s3://bucket/key, or sha256: and the digest of a classified photo.",
        examples=["s3://shop/shoes/1.jpg"],
    ),
]
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")  # a photo that was only classified: its content's hash


@dataclass(frozen=True)
class KeywordRatingStore:
    """Stores people's ratings of photos that have a record, or that they had classified."""

    ratings: Ratings
    table: RecordTable
    vocabulary: Vocabulary
    buckets: Collection[str]
    clock: Clock

    def rate(self, requests: Sequence[answers.KeywordRating], by: str) -> int:
        """Store these ratings, all or none of them, and return their number.

        Raises:
            CallerError: one names no image, or a keyword that does not exist.
            NotFoundError: one is of an image without a record.
        """
        images = {request.image: self._parse_image(request.image) for request in requests}
        self._check_known([image for image in images.values() if image is not None])
        ratings = [self._rating(request, images[request.image], by) for request in requests]
        for rating in ratings:
            self.ratings.put(rating)
        return len(ratings)

    def given(self, image: str, by: str) -> list[Rating]:
        """Return this person's ratings of the image.

        Raises:
            CallerError: it is not an image of the catalogue.
        """
        name = str(self._parse_image(image) or image)
        return [rating for rating in self.ratings.of_image(name) if rating.by == by]

    def _rating(self, request: answers.KeywordRating, image: ImageRef | None, by: str) -> Rating:
        name = request.image if image is None else str(image)
        keyword = self._keyword_id(request.keyword, request.verdict)
        return Rating(name, keyword, request.verdict, request.model_version, self.clock(), by)

    def _parse_image(self, text: str) -> ImageRef | None:
        """Return the image; None for a digest, as the photo has no name."""
        if _DIGEST.fullmatch(text):
            return None
        image = ImageRef.parse(text)
        if image.bucket not in self.buckets:
            raise CallerError(f"{image.bucket!r} is not a bucket of the catalogue")
        return image

    def _check_known(self, images: Sequence[ImageRef]) -> None:
        known = self.table.get_many(list(dict.fromkeys(images)))
        unknown = [image for image in images if image not in known]
        if unknown:
            raise NotFoundError(f"nothing is known of {unknown[0]}")

    def _keyword_id(self, text: str, verdict: Verdict) -> str:
        """Return the keyword's id; a missing one may be a word that the vocabulary lacks."""
        if text in self.vocabulary.nodes:
            return text
        keyword_ids = self.vocabulary.spelled(text)
        if keyword_ids:
            return keyword_ids[0]
        if verdict is not Verdict.MISSING:
            raise CallerError(f"no keyword is called {text!r}")
        word = fold(text)
        # A space or an accent alone folds to nothing, and one Arabic ligature to eighteen letters.
        if not 1 <= len(word) <= answers.MAX_WORD_CHARACTERS:
            raise CallerError(f"{text!r} is no word of 1 to {answers.MAX_WORD_CHARACTERS} letters")
        return word


def add_routes(app: Resolver, store: KeywordRatingStore) -> None:
    """Add the routes POST and GET /ratings."""

    @app.operation("GET", "/ratings", tag=Tag.REVIEW)
    def given_ratings(image: RatedImage) -> answers.GivenRatings:
        """Return your own ratings of an image."""
        return answers.GivenRatings(
            ratings=[
                answers.GivenRating(keyword=rating.keyword, verdict=rating.verdict, model_version=rating.model_version)
                for rating in store.given(image, app.caller)
            ]
        )

    @app.operation(
        "POST",
        "/ratings",
        tag=Tag.REVIEW,
        status=HTTPStatus.CREATED,
        problems=[ProblemCode.NOT_FOUND, ProblemCode.UNSUPPORTED_MEDIA_TYPE],
    )
    def rate_keywords(request: Annotated[answers.KeywordRatings, Body()]) -> answers.KeptRatings:
        """Keep ratings of keywords.

        A person has one rating of a keyword of a model on an image: the latest.
        """
        return answers.KeptRatings(kept=store.rate(request.ratings, app.caller))
