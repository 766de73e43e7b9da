"""Decisions over HTTP: one person decides on keywords of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Body

from pipeline.errors import RetryLater
from pipeline.http.deciding import AppliedDecision, AppliedDecisions, KeywordDecision, KeywordDecisions
from pipeline.http.models import ProblemCode
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.ports import Clock
from pipeline.unreadable import UnreadableItem
from tagging_lambda.curate.decide import Decider, DecisionEvent, UnknownTarget, Wish
from tagging_lambda.curate.keyword_lookup import keyword_once_named
from tagging_lambda.curate.rewrite import Rewriter

MAX_NAME_CHARACTERS = 64  # of the person who decided, as for the command


@dataclass(frozen=True)
class DecisionWriter:
    """Writes decisions to stored records."""

    rewriter: Rewriter
    vocabulary: Vocabulary
    clock: Clock

    def apply(self, requests: Sequence[KeywordDecision], by: str) -> list[AppliedDecision]:
        """Write these decisions in the name of ``by``, and return the result of each.

        All are checked before any is written. Each image is written separately: one with constant conflicting writes
        fails alone.

        Raises:
            CallerError: a keyword does not exist, or an image would have too many decisions.
            NotFoundError: an image has no record.
            RetryLater: none of the records could be written.
        """
        wishes = [
            Wish(request.decision, keyword_once_named(request.keyword, self.vocabulary), ImageRef.parse(request.image))
            for request in requests
        ]
        decider = Decider(self.rewriter.table, self.rewriter, self.vocabulary, self.clock, by[:MAX_NAME_CHARACTERS])
        resolved = decider.resolve(wishes)
        known = self.rewriter.table.get_many(list(resolved.by_image))
        unknown = [image for image in resolved.by_image if image not in known]
        if unknown:
            raise NotFoundError(f"nothing is known of {unknown[0]}")
        outcomes = {
            image: (is_changed, failure) for image, is_changed, failure in map(_outcome, decider.decide(resolved))
        }
        failures = [failure for _, failure in outcomes.values() if failure]
        if len(failures) == len(outcomes):
            raise RetryLater(failures[0])
        return [
            AppliedDecision(
                image=request.image,
                keyword=wish.keyword_id,
                decision=request.decision,
                changed=outcomes[str(wish.of)][0],
                failure=outcomes[str(wish.of)][1],
            )
            for request, wish in zip(requests, wishes, strict=True)
        ]


def _outcome(event: DecisionEvent) -> tuple[str, bool, str | None]:
    """Return an image, whether its record was changed, and why it could not be."""
    match event:
        case UnknownTarget():  # its record disappeared since the check
            return event.name, False, f"nothing is known of {event.name}"
        case UnreadableItem():
            return str(event.image or event.key), False, event.problem
    return str(event.before.observation.image), event.is_change and not event.failure, event.failure or None


def add_routes(app: Resolver, writer: DecisionWriter) -> None:
    """Add the route POST /decisions."""

    @app.operation(
        "POST", "/decisions", tag=Tag.REVIEW, problems=[ProblemCode.NOT_FOUND, ProblemCode.UNSUPPORTED_MEDIA_TYPE]
    )
    def decide_keywords(request: Annotated[KeywordDecisions, Body()]) -> AppliedDecisions:
        """Pin, suppress or release keywords on images.

        A decision outlasts every later run, model and taxonomy.
        """
        return AppliedDecisions(decisions=writer.apply(request.decisions, app.caller))
