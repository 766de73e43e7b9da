"""Pydantic models of the requests and answers of decisions about keywords."""

from pydantic import Field

from pipeline.http.models import AnswerModel, ImageName, RequestModel
from pipeline.records import KeywordAction

MAX_DECISIONS = 100  # of one request, chosen by us: as many records as one BatchGetItem reads
MAX_WORD_CHARACTERS = 100  # chosen by us: an id, or a word in any language


class KeywordDecision(RequestModel):
    """A decision about one keyword, or colour, on one image."""

    image: ImageName
    keyword: str = Field(
        min_length=1,
        max_length=MAX_WORD_CHARACTERS,
        description="Its id, or a word in any language; `de:Boot` where two languages share the word. "
        "A colour is named likewise: `blue`, or `colour-orange` where a keyword has the word too.",
        examples=["n04120489"],
    )
    decision: KeywordAction = Field(description="`release` leaves the keyword to the model again.")


class KeywordDecisions(RequestModel):
    """Decisions of one person."""

    decisions: list[KeywordDecision] = Field(min_length=1, max_length=MAX_DECISIONS)


class AppliedDecision(AnswerModel):
    """The result of a decision."""

    image: str
    keyword: str = Field(description="The keyword's id.")
    decision: KeywordAction
    changed: bool = Field(description="Whether the image's record changed.")
    failure: str | None = Field(
        default=None, description="Why the record could not be written; send the decision again."
    )


class AppliedDecisions(AnswerModel):
    """The result of each decision, in the order of the request."""

    decisions: list[AppliedDecision]
