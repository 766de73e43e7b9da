"""The verb decide, asked over HTTP: one person, one keyword, one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import RetryLater
from pipeline.http_event import NOT_FOUND, Answer, choice_in, json_answer, problem, text_in
from pipeline.images import MAX_KEY_BYTES, ImageRef
from tagging_lambda.curate.decide import Decider, DecisionCounts, ResolvedWishes, Verdict, Wish
from tagging_lambda.curate.keyword_lookup import keyword_once_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.http_event import Request, Route
    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock
    from tagging_lambda.curate.rewrite import Rewriter

MAX_WORD_CHARACTERS = 100  # chosen by us: an id, or a word in any language
MAX_NAME_CHARACTERS = 64  # of who decided, as for the command


def make_routes(rewriter: Rewriter, vocabulary: Vocabulary, clock: Clock) -> Mapping[str, Route]:
    """Return what answers the route: POST /decisions pins, suppresses or releases a keyword on an image."""

    def decide(request: Request) -> Answer:
        document = request.document()
        image = ImageRef.parse(text_in(document, "image", MAX_KEY_BYTES + 80))
        verdict = choice_in(document, "decision", Verdict)
        keyword_id = keyword_once_named(text_in(document, "keyword", MAX_WORD_CHARACTERS), vocabulary)
        wish = Wish(verdict, keyword_id, image)
        decider = Decider(rewriter.table, rewriter, vocabulary, clock, request.caller[:MAX_NAME_CHARACTERS])
        counts = DecisionCounts()
        for event in decider.decide(ResolvedWishes({image: [wish]})):
            counts.add(event)
        if counts.unknown:
            return problem(NOT_FOUND, "There is no such thing", f"nothing is known of {image}")
        if counts.failed:
            raise RetryLater(counts.failed[0])
        facts = {"image": str(image), "keyword": keyword_id, "decision": verdict, "changed": bool(counts.changed)}
        return json_answer(facts)

    return {"POST /decisions": decide}
