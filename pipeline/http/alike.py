"""What the routes about photos that are alike take and answer, as pydantic models."""

from typing import Literal

from pydantic import Field

from pipeline.http.catalogue import Result
from pipeline.http.models import AnswerModel, ImageName, RequestModel

SIMILAR = 12  # results, where no limit is given
MAX_SIMILAR = 100  # results, chosen by us: some 100 kB
MAX_VECTOR_CHARACTERS = 4_096  # of 2,048 features as they are, in base64
MAX_CANDIDATES = 8  # of one request, chosen by us: as many neighbours as `duplicates` compares, each some 30 ms


class SimilarTo(RequestModel):
    """What to look like: either ``image`` or ``vector``."""

    image: ImageName | None = None
    vector: str | None = Field(
        default=None, min_length=1, max_length=MAX_VECTOR_CHARACTERS, description="As `POST /v1/classify` answers it."
    )
    by: Literal["product", "image"] = Field(
        default="product", description="What one result is: a product by its most similar image, or an image."
    )
    limit: int = Field(default=SIMILAR, ge=1, le=MAX_SIMILAR)


class SimilarImages(AnswerModel):
    """What looks most like a photo, most alike first; a score in [0, 1] says how alike they look and are named."""

    results: list[Result]
    snapshot: str = Field(description="The snapshot that was searched, with what changed since.")


class ComparedPhotos(RequestModel):
    """A photo, and those that may be the same."""

    image: ImageName
    candidates: list[ImageName] = Field(min_length=1, max_length=MAX_CANDIDATES)


class SamePhotos(AnswerModel):
    """The photos that are the same as one."""

    image: str
    same: list[str] = Field(description="Those of the candidates that show the same photo.")
