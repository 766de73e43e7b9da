"""Pydantic models of the requests and answers of searches, lookups, photos, ratings and the status."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.http.models import AnswerModel, ImageName, KeywordOfImage, RequestModel, Score
from pipeline.ratings import Verdict

MAX_PRODUCTS = 100  # of one batch, chosen by us: each is a query of the table; together some half a second
MAX_ID_CHARACTERS = 1_024  # of a product's id: the most bytes it can have

MAX_PHOTOS = 100  # of one request, chosen by us: a page of results, and the most that one BatchGetItem reads
MAX_RATINGS = 50  # of one request, chosen by us: every keyword of a photo, by several models
MAX_WORD_CHARACTERS = 60  # chosen by us: the vocabulary's longest word has 40
MAX_VERSION_CHARACTERS = 64  # chosen by us
ProductId = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


class ClassOfImage(AnswerModel):
    """What the model answered for one of its classes."""

    class_index: int
    score: Score


class DecisionOnImage(AnswerModel):
    """What a person decided about a keyword on an image."""

    keyword: str
    id: str
    decision: Literal["pin", "suppress"]
    decided_at: str
    by: str


class ListingOfProduct(AnswerModel):
    """What the shop itself says of a product, as its manifest has it; what it does not say is left out."""

    title: str | None = None
    brand: str | None = None
    price: str | None = Field(default=None, description="As the shop writes it, with its currency.")
    url: str | None = None
    tags: str | None = Field(default=None, description="Its own words for the product, as it writes them.")


class ColourOfImage(AnswerModel):
    """A colour of the product on an image."""

    colour: str = Field(description="Its name in the requested language.", examples=["blue"])
    id: str = Field(description="`colour-` and its name in English, as decisions take it.", examples=["colour-blue"])
    share: float = Field(ge=0, le=1, description="Of the product; 1 of a colour that somebody pinned.")
    source: Literal["model", "human"]


class PreviousObservation(AnswerModel):
    """What the model said about the same photo in the run before; `undo` of the newest run brings it back."""

    run_id: str
    observed_at: str
    model_version: str
    taxonomy_version: str
    keywords: list[KeywordOfImage]


class ImageInBrief(AnswerModel):
    """The current record of an image, without the details of the model's answer."""

    image: str = Field(description="s3://bucket/key, the key as it is, not encoded.")
    product: str
    listing: ListingOfProduct = ListingOfProduct()
    status: Literal["tagged", "rejected", "gone", "undone"]
    reason: str | None = Field(description="Why it was rejected, one of a closed list.")
    detail: str | None
    keywords: list[KeywordOfImage]
    colours: list[ColourOfImage] = Field(description="The strongest first; none where they are not clear.")
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
    """The current record of an image."""

    model_keywords: list[KeywordOfImage] = Field(description="What the model says, before what people decided.")
    classes: list[ClassOfImage]
    previous: PreviousObservation | None = None


class Product(AnswerModel):
    """A product: all its images, and each of their keywords once, with its best score."""

    product: str
    keywords: list[KeywordOfImage]
    images: list[Image]


class ProductInBrief(AnswerModel):
    """A product as one of many: its images without their classes and the run before."""

    product: str
    keywords: list[KeywordOfImage]
    images: list[ImageInBrief]


class ProductIds(RequestModel):
    """The products to look up."""

    ids: list[ProductId] = Field(min_length=1, max_length=MAX_PRODUCTS)


class Products(AnswerModel):
    """The known products, in the order of the request, and the ids of the unknown ones."""

    products: list[ProductInBrief]
    missing: list[str]


class Result(AnswerModel):
    """An image that matches; in a search by product, the product's best image."""

    image: str
    product: str
    score: Score
    keywords: list[KeywordOfImage]
    listing: ListingOfProduct = ListingOfProduct()


class SimilarProducts(AnswerModel):
    """The products that look most like a given one, most similar first."""

    product: str
    results: list[Result]
    snapshot: str = Field(description="The snapshot that was searched, with what changed since.")


class FacetCount(AnswerModel):
    """How many of all results have a keyword of this name, or one below it."""

    keyword: str
    count: int


class CorrectionOfQuery(AnswerModel):
    """A word of the query that was read as another."""

    typed: str
    read_as: str


class SearchPage(AnswerModel):
    """A page of results, best first."""

    query: str
    ignored: list[str] = Field(description="The words that were left out because no keyword has that name.")
    corrections: list[CorrectionOfQuery]
    suggestions: list[str] = Field(description="If nothing was found: words similar to those that were left out.")
    available: list[FacetCount] = Field(
        description="If nothing was found: the most frequent keywords of the catalogue."
    )
    as_of: str | None = Field(description="The time of the newest change that was searched.")
    total: int = Field(description="How many results there are on all pages.")
    results: list[Result]
    facets: list[FacetCount]
    next: str | None = Field(description="The cursor of the next page; null on the last.")
    snapshot: str = Field(description="The snapshot that was searched.")
    changes: int = Field(description="How many images have changed since the snapshot; they were searched as well.")


class Precision(AnswerModel):
    """How right the keywords are expected to be, and how many looks are left until they are as right as wanted."""

    target: float = Field(ge=0, le=1)
    photos: int = Field(description="Photos that have a keyword.")
    decided: int = Field(description="Photos on which a person has pinned a keyword.")
    keywords: int = Field(description="Of all these photos.")
    precision: float = Field(ge=0, le=1, description="The share of keywords that is expected to be right now.")
    looks: int = Field(description="Photos to look at, the least sure first, until the target is reached.")
    snapshot: str
    changes: int


class Suggestion(AnswerModel):
    """A word that begins with what was typed."""

    word: str
    keyword: str = Field(description="The name of the keyword that the word means.")
    id: str = Field(description="The keyword's id; for a colour, `colour-` and the colour's id.")
    images: int = Field(description="How many images have the keyword; for a completed query, how many match it.")
    query: str = Field(description="The completed query.")


class Suggestions(AnswerModel):
    """Words of the vocabulary, those on most images first."""

    q: str
    language: str
    suggestions: list[Suggestion]


class KeywordOfTaxonomy(AnswerModel):
    """A keyword of the taxonomy."""

    id: str
    words: dict[str, list[str]] = Field(description="By language, the name first.")
    parents: list[str]
    images: int = Field(description="How many images of the last snapshot have it.")


class ColourOfTaxonomy(AnswerModel):
    """A colour that an image can have."""

    id: str
    words: dict[str, str] = Field(description="By language.")


class Taxonomy(AnswerModel):
    """Every keyword and every colour that an image can have."""

    version: str
    languages: list[str]
    keywords: list[KeywordOfTaxonomy]
    colours: list[ColourOfTaxonomy]


class Health(AnswerModel):
    """That the API works, and what it answers from."""

    status: Literal["ok"]
    snapshot: str | None = Field(description="The snapshot that is searched; null before the first export.")
    changes: int
    vocabulary_version: str


class PhotoNames(RequestModel):
    """The photos to show."""

    images: list[ImageName] = Field(max_length=MAX_PHOTOS)


class PhotoAddresses(AnswerModel):
    """Where a browser can read each photo."""

    photos: dict[str, str] = Field(
        description="The address by the image's name. An image without a record, or of another bucket, is left out."
    )
    seconds: int = Field(description="How long the addresses are valid.")


class KeywordRating(RequestModel):
    """What a person says about one keyword on one image."""

    image: str = Field(
        min_length=1,
        max_length=MAX_ID_CHARACTERS + 80,
        description="s3://bucket/key of an image with a record, or sha256: and the digest of a classified photo.",
        examples=["s3://shop/shoes/1.jpg"],
    )
    keyword: str = Field(
        min_length=1,
        max_length=MAX_WORD_CHARACTERS,
        description="Its id, or a word in any language; any word if the verdict is `missing`.",
        examples=["n04120489"],
    )
    verdict: Verdict
    model_version: str = Field(min_length=1, max_length=MAX_VERSION_CHARACTERS, examples=["a1b2c3"])


class KeywordRatings(RequestModel):
    """Ratings of one person: all are stored, or none."""

    ratings: list[KeywordRating] = Field(min_length=1, max_length=MAX_RATINGS)


class GivenRating(AnswerModel):
    """What the caller said about a keyword on an image."""

    keyword: str = Field(description="Its id, or the word itself if it is no keyword.")
    verdict: Verdict
    model_version: str


class GivenRatings(AnswerModel):
    """The caller's own ratings of an image."""

    ratings: list[GivenRating]


class KeptRatings(AnswerModel):
    """How many ratings were stored."""

    kept: int


class QueueDepth(AnswerModel):
    """How many messages a queue holds."""

    name: str
    waiting: int
    in_flight: int
    dead_letters: int


class RejectedPhoto(AnswerModel):
    """An image that was rejected."""

    image: str
    reason: str
    detail: str
    observed_at: str


class Status(AnswerModel):
    """The state of tagging: the queues now, and the table as of ``counted_at``."""

    queues: list[QueueDepth]
    counted_at: str
    complete: bool = Field(description="Whether all of the table was counted; otherwise the counts are lower bounds.")
    tagged: int
    without_keyword: int
    gone: int
    by_minute: list[int] | None = Field(
        description="Images in each of the last 30 minutes, the latest last; null if not all were counted."
    )
    rejected: dict[str, int] = Field(description="Images by reason.")
    rejected_complete: bool
    rejections: list[RejectedPhoto] = Field(description="The first few for each reason, newest first.")
