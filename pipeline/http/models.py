"""Pydantic models that the requests and answers of all functions share."""

from enum import StrEnum
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from pipeline.images import MAX_KEY_BYTES
from pipeline.reject_reasons import RejectReason

MAX_BUCKET_CHARACTERS = 63  # the longest name Amazon S3 permits
ONE_LINE = r"^[^\n]+$"  # what a path can hold
MAX_IMAGE_CHARACTERS = len("s3:///") + MAX_BUCKET_CHARACTERS + MAX_KEY_BYTES

Language = Annotated[
    str, Query(min_length=2, max_length=35, description="The language of the words in the answer.", examples=["de"])
]
Bucket = Annotated[str, Path(min_length=1, max_length=MAX_BUCKET_CHARACTERS)]
Key = Annotated[str, Path(min_length=1, max_length=MAX_KEY_BYTES, pattern=ONE_LINE, description="With its slashes.")]
Score = Annotated[float, Field(ge=0, le=1, description="The probability that the keyword is right.")]
ImageName = Annotated[
    str,
    Field(
        pattern=r"^s3://[^/]+/[\s\S]",
        max_length=MAX_IMAGE_CHARACTERS,
        description="s3://bucket/key, the key not encoded.",
        examples=["s3://shop/shoes/1.jpg"],
    ),
]


class RequestModel(BaseModel):
    """The JSON body of a request: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AnswerModel(BaseModel):
    """The JSON body of an answer: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeywordOfImage(AnswerModel):
    """A keyword on an image."""

    keyword: str = Field(description="Its name in the requested language.", examples=["running shoe"])
    id: str = Field(description="Stable across languages and taxonomies.", examples=["n04120489"])
    score: Score
    source: Literal["model", "head", "human"] = Field(description="Where the keyword comes from.")


class ProblemCode(StrEnum):
    """The codes by which programs tell problems apart. A code never changes its meaning."""

    INVALID_REQUEST = "invalid_request"
    UNKNOWN_PARAMETER = "unknown_parameter"
    ORIGIN_REFUSED = "origin_refused"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAGE_GONE = "page_gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    PHOTO_REJECTED = "photo_rejected"
    NO_EXPORT = "no_export"
    UNAVAILABLE = "unavailable"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    OPEN_QUOTE = "open_quote"
    EMPTY_PHRASE = "empty_phrase"
    OPEN_PARENTHESIS = "open_parenthesis"
    STRAY_PARENTHESIS = "stray_parenthesis"
    WORD_MISSING = "word_missing"
    MIN_ALONE = "min_alone"
    BAD_MIN = "bad_min"


# The codes of ``BadQuery``: the ways in which a query can be malformed.
QUERY_MISTAKES = (
    ProblemCode.EMPTY,
    ProblemCode.TOO_LONG,
    ProblemCode.TOO_DEEP,
    ProblemCode.OPEN_QUOTE,
    ProblemCode.EMPTY_PHRASE,
    ProblemCode.OPEN_PARENTHESIS,
    ProblemCode.STRAY_PARENTHESIS,
    ProblemCode.WORD_MISSING,
    ProblemCode.MIN_ALONE,
    ProblemCode.BAD_MIN,
)


class FieldProblem(AnswerModel):
    """One part of a request that is wrong."""

    field: str = Field(
        description="Its path in the request, such as query.limit or body.ratings.0.image.", examples=["query.limit"]
    )
    detail: str


class Problem(AnswerModel):
    """A problem, in the form of RFC 9457."""

    type: str = Field(description="A URN that ends in the code.", examples=["urn:catalog-tagger:problem:not_found"])
    title: str = Field(description="The same for every problem of this code.")
    status: int
    detail: str = Field(description="What is wrong with this request, and what to do.")
    code: ProblemCode
    errors: list[FieldProblem] | None = Field(default=None, description="Only with `invalid_request`.")
    reason: RejectReason | None = Field(
        default=None, description="Only with `photo_rejected`: why the photo cannot be tagged."
    )


class Refusal(BaseModel):
    """A refusal by Amazon API Gateway itself, before any function runs."""

    message: str = Field(description="Unauthorized, Forbidden or Too Many Requests.")
