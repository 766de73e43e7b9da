"""Pydantic models of the requests and answers of classification on demand."""

from pydantic import Field

from pipeline.http.models import AnswerModel, KeywordOfImage, RequestModel
from pipeline.images import MAX_IMAGE_BYTES

MAX_MODELS = 4  # in one request, chosen by us: the page shows them side by side
MAX_BASE64_CHARACTERS = -(-MAX_IMAGE_BYTES // 3) * 4 + 100  # with "data:image/jpeg;base64," in front


class PhotoReference(RequestModel):
    """A photo in a JSON body: either ``image`` or ``link``."""

    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_BASE64_CHARACTERS,
        description="The photo in base64; a data: address is read as well.",
    )
    link: str | None = Field(
        default=None,
        min_length=1,
        max_length=2048,
        description="https://..., or s3://bucket/key of the catalogue.",
        examples=["https://shop.example/shoe.jpg"],
    )


class NamedClass(AnswerModel):
    """What a model answered for one of its classes."""

    class_index: int
    class_: str = Field(alias="class")
    score: float


class ModelAnswer(AnswerModel):
    """What one model sees in the photo."""

    model: str
    model_version: str
    taxonomy_version: str
    classes: list[NamedClass]
    keywords: list[KeywordOfImage]
    vector: str | None = Field(
        description="What the model saw, for `POST /v1/similar`; null where the model has no projection."
    )
    milliseconds: float


class ClassifiedPhoto(ModelAnswer):
    """What the first model sees in the photo, and what each one sees if `models` was given."""

    sha256: str = Field(description="The digest of the photo's bytes, by which ratings name the photo.")
    width_pixels: int
    height_pixels: int
    low_information: bool = Field(description="Whether the photo is nearly one colour, so that no keyword is right.")
    language: str
    models: list[ModelAnswer] | None = Field(
        default=None, description="Each model's answer; null unless `models` was sent."
    )


class ModelDescription(AnswerModel):
    """An installed model."""

    model: str
    model_version: str
    precision: str
    classes: list[str]


class ModelList(AnswerModel):
    """The installed models; the first one answers by default."""

    models: list[ModelDescription]
