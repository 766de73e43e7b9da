"""What the API takes and answers, as models: the OpenAPI document is made from them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_PRODUCTS = 100  # of one batch, chosen by us: as many queries of the table, some half a second
MAX_ANSWER_BYTES = 6 * 1024 * 1024  # the largest answer of a function that AWS Lambda hands on
MAX_ID_CHARACTERS = 1_024  # of a product's id: the most bytes it can have

Score = Annotated[float, Field(ge=0, le=1, description="The chance that the keyword fits.")]
ProductId = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


class Answer(BaseModel):
    """What every answer has in common: it is made once, and from its fields alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeywordOfImage(Answer):
    """A keyword on an image."""

    keyword: str = Field(description="Its name, in the language that was asked for.")
    id: str
    score: Score
    source: Literal["model", "human"]


class ClassOfImage(Answer):
    """What the model answered for one of its classes."""

    class_index: int
    score: Score


class DecisionOnImage(Answer):
    """What a person decided about a keyword on an image."""

    keyword: str
    id: str
    decision: Literal["pin", "suppress"]
    decided_at: str
    by: str


class PreviousObservation(Answer):
    """What the model said of the same photo in the run before, which `undo` of the newest run brings back."""

    run_id: str
    observed_at: str
    model_version: str
    taxonomy_version: str
    keywords: list[KeywordOfImage]


class ImageInBrief(Answer):
    """What is known of an image now, without what the model said in detail."""

    image: str = Field(description="s3://bucket/key, the key as it is, not encoded.")
    product: str
    status: Literal["tagged", "rejected", "gone", "undone"]
    reason: str | None = Field(description="Why it was rejected, one of a closed list.")
    detail: str | None
    keywords: list[KeywordOfImage]
    low_information: bool
    decisions: list[DecisionOnImage]
    width_pixels: int | None = None
    height_pixels: int | None = None
    model_version: str
    taxonomy_version: str
    run_id: str
    observed_at: str
    object_time: str | None
    etag: str | None
    revision: int


class Image(ImageInBrief):
    """What is known of an image now."""

    classes: list[ClassOfImage]
    previous: PreviousObservation | None = None


class Product(Answer):
    """A product: all its images, and each of their keywords once, with its best score."""

    product: str
    keywords: list[KeywordOfImage]
    images: list[Image]


class ProductInBrief(Answer):
    """A product as one of many: its images without their classes and the run before."""

    product: str
    keywords: list[KeywordOfImage]
    images: list[ImageInBrief]


class ProductIds(BaseModel):
    """The products that are asked for."""

    ids: list[ProductId] = Field(min_length=1, max_length=MAX_PRODUCTS)


class Products(Answer):
    """The products that are known, in the order in which they were asked for, and the ids of those that are not."""

    products: list[ProductInBrief]
    missing: list[str]


class Result(Answer):
    """An image that was found; of a product, its best."""

    image: str
    product: str
    score: Score
    keywords: list[KeywordOfImage]


class FacetCount(Answer):
    """How many of all results carry a keyword of this name, or one below it."""

    keyword: str
    count: int


class CorrectionOfQuery(Answer):
    """A word of the query that was read as another."""

    typed: str
    read_as: str


class SearchPage(Answer):
    """A page of results, best first."""

    query: str
    ignored: list[str] = Field(description="The words that were left out, because nothing is called so.")
    corrections: list[CorrectionOfQuery]
    suggestions: list[str] = Field(description="Words near those that were left out, where nothing was found.")
    available: list[FacetCount] = Field(description="What the catalogue has most of, where nothing was found.")
    as_of: str | None = Field(description="When the newest change that was searched was made.")
    total: int = Field(description="How many results there are on all pages.")
    results: list[Result]
    facets: list[FacetCount]
    next: str | None = Field(description="The cursor of the next page; null on the last.")
    snapshot: str = Field(description="The snapshot that was searched.")
    changes: int = Field(description="How many images have changed since the snapshot; they were searched as well.")


class Suggestion(Answer):
    """A word that begins as what was typed."""

    word: str
    keyword: str = Field(description="The name of the keyword that the word means.")
    id: str
    images: int = Field(description="How many images of the last snapshot carry the keyword.")


class Suggestions(Answer):
    """Words of the vocabulary, those on most images first."""

    q: str
    language: str
    suggestions: list[Suggestion]


class KeywordOfTaxonomy(Answer):
    """A keyword of the taxonomy."""

    id: str
    words: dict[str, list[str]] = Field(description="By language, the name first.")
    parents: list[str]
    images: int = Field(description="How many images of the last snapshot carry it.")


class Taxonomy(Answer):
    """Every keyword that an image can have."""

    version: str
    languages: list[str]
    keywords: list[KeywordOfTaxonomy]


class Health(Answer):
    """That the API answers, and from what."""

    status: Literal["ok"]
    snapshot: str | None = Field(description="The snapshot that is searched; null before the first export.")
    changes: int
    vocabulary_version: str


class Problem(Answer):
    """What is wrong, as RFC 9457 asks: a title that is always the same, and what it is this time."""

    title: str
    status: int
    detail: str
    reason: Literal["no_export"] | None = Field(
        default=None, description="What a program may tell apart: nothing was exported yet. Left out otherwise."
    )


class Refusal(BaseModel):
    """What Amazon API Gateway answers by itself, before anybody here is asked."""

    message: str = Field(description="Unauthorized, Forbidden or Too Many Requests.")
