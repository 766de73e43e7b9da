"""What the routes about photos that are alike take and answer, as pydantic models."""

from pydantic import Field

from pipeline.http.models import AnswerModel, ImageName, RequestModel

MAX_CANDIDATES = 8  # of one request, chosen by us: as many neighbours as `duplicates` compares, each some 30 ms


class ComparedPhotos(RequestModel):
    """A photo, and those that may be the same."""

    image: ImageName
    candidates: list[ImageName] = Field(min_length=1, max_length=MAX_CANDIDATES)


class SamePhotos(AnswerModel):
    """The photos that are the same as one."""

    image: str
    same: list[str] = Field(description="Those of the candidates that show the same photo.")
