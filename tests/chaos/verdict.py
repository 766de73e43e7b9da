"""What must be true after a chaos run, counted by hand from the bucket, the table and the dead-letter queues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Images
from pipeline.errors import BadMessage, ImageRejected
from pipeline.images import BucketPrefix
from pipeline.keywords import Vocabulary
from pipeline.messages import decode
from pipeline.model_version import CARD_NAME
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from tagging_lambda.classification_cache import Classification, ClassificationCache
from tagging_lambda.classify import Classifier
from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.words.heads import Head
from tagging_lambda.words.keyword_mapper import KeywordMapper
from tagging_lambda.words.projection import STARTER
from tests.chaos.deployment import Deployed, environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.keywords import KeywordTag
    from pipeline.records import Record
    from tests.chaos.shop import DisorderlyShop

SCORE_TOLERANCE = 0.001  # pictures that are classified together round otherwise than alone
SHOWN_PROBLEMS = 20

Truth = tuple["KeywordTag", ...] | str  # the keywords of a picture, or the reason why it has none


@dataclass
class Verdict:
    """What was found, and everything that is not as it must be."""

    ends: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def expect(self, is_so: object, problem: str) -> None:
        """Note the problem unless it is so."""
        if not is_so:
            self.problems.append(problem)


def truths(model_dir: Path, pictures: Sequence[bytes]) -> list[Truth]:
    """Return what each picture gives when it is looked at alone, in peace."""
    classifier = Classifier.load(model_dir / CARD_NAME)
    class_ids = [each.id for each in classifier.card.classes]
    mapper = KeywordMapper.of(Vocabulary.load(), class_ids, (Head.load(STARTER),))
    reader = ProcessReader(classifier.card.input)
    contents = ClassificationCache(reader, classifier)
    try:
        findings = [contents.classify([data], lambda: 1e6)[0] for data in pictures]
    finally:
        reader.close()
    return [_truth(finding, mapper) for finding in findings]


def _truth(finding: object, mapper: KeywordMapper) -> Truth:
    if isinstance(finding, Classification):
        return mapper.keywords(finding.class_scores, finding.vector)
    assert isinstance(finding, ImageRejected)
    return str(finding.reason)


def judged(here: Deployed, shop: DisorderlyShop, bad_bodies: Sequence[str]) -> Verdict:
    """Return the verdict: every key ever used has one end, the right one, and every bad message lies with its error."""
    verdict = Verdict()
    stack, url = here.stack, here.endpoint_url
    records = [*DynamoTable(client("dynamodb", url), stack.table_name).scan()]
    by_key = {record.observation.image.key: record for record in records}
    verdict.expect(len(by_key) == len(records), "an image has two records")
    there = {listed.image.key: listed.etag for listed in S3Images(client("s3", url)).listing(BucketPrefix(shop.bucket))}
    letters = [letter for dead_url in _dead_letter_urls(here) for letter in _letters(client("sqs", url), dead_url)]
    truth_of = truths(here.model_dir, shop.pictures)
    for key in sorted(shop.used):
        etag = there.get(key)
        truth = None if etag is None else truth_of[shop.files[etag]]
        _judge_key(verdict, f"s3://{shop.bucket}/{key}"[:80], by_key.get(key), etag, truth)
    verdict.expect(set(by_key) <= shop.used, "there is a record of a key that nobody ever used")
    verdict.expect(set(there) <= shop.used, "there is an object that nobody put")
    _judge_letters(verdict, letters, bad_bodies)
    _judge_commands(verdict, here, shop, len(there), len(letters))
    return verdict


def _judge_key(verdict: Verdict, name: str, record: Record | None, etag: str | None, truth: Truth | None) -> None:
    if record is None:
        verdict.problems.append(f"{name}: no end at all; etag {etag}")
        return
    if truth is None:
        verdict.ends["gone"] += 1
        verdict.expect(isinstance(record, GoneImage), f"{name}: not there, but {type(record).__name__}")
        return
    verdict.expect(record.observation.etag == etag, f"{name}: {type(record).__name__} of an older object")
    if isinstance(truth, str):
        verdict.ends[f"rejected: {truth}"] += 1
        reason = str(record.reason) if isinstance(record, RejectedImage) else type(record).__name__
        verdict.expect(reason == truth, f"{name}: {reason}, but must be rejected as {truth}")
        return
    verdict.ends["tagged"] += 1
    found = record.keywords if isinstance(record, TaggedImage) else ()
    verdict.expect(_are_alike(found, truth), f"{name}: {type(record).__name__} {found}, but must be {truth}")


def _are_alike(found: Sequence[KeywordTag], truth: Sequence[KeywordTag]) -> bool:
    return [tag.keyword_id for tag in found] == [tag.keyword_id for tag in truth] and all(
        abs(one.score - other.score) <= SCORE_TOLERANCE for one, other in zip(found, truth, strict=True)
    )


def _judge_letters(verdict: Verdict, letters: Sequence[Mapping[str, Any]], bad_bodies: Sequence[str]) -> None:
    bodies = [letter["Body"] for letter in letters]
    lost = set(bad_bodies) - set(bodies)
    verdict.expect(not lost, f"{len(lost)} bad messages are lost, such as {sorted(lost)[:2]}")
    for letter in letters:
        error = letter.get("MessageAttributes", {}).get("error", {}).get("StringValue", "")
        verdict.dead[error.split(":")[0] or "without an error"] += 1
        verdict.expect(
            letter["Body"] in set(bad_bodies) and error.startswith("BadMessage: "),
            f"a dead letter that must not be: {letter['Body'][:80]!r}, {error!r}",
        )
        verdict.expect(_is_bad(letter["Body"]), f"a dead letter that can be read: {letter['Body'][:80]!r}")


def _is_bad(body: str) -> bool:
    try:
        decode(body)
    except BadMessage:
        return True
    return False


def _dead_letter_urls(here: Deployed) -> tuple[str, str]:
    return here.stack.uploads_dead_letter_queue_url, here.stack.backfill_dead_letter_queue_url


def _letters(sqs: Any, url: str) -> list[Mapping[str, Any]]:
    """Return every message of the queue, each once, and let them all be seen again."""
    found: dict[str, Mapping[str, Any]] = {}
    asked = {
        "MaxNumberOfMessages": 10,
        "VisibilityTimeout": 600,
        "MessageAttributeNames": ["All"],
        "WaitTimeSeconds": 0,
    }
    while messages := sqs.receive_message(QueueUrl=url, **asked).get("Messages"):
        found |= {message["MessageId"]: message for message in messages}
    for message in found.values():
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return [*found.values()]


def _judge_commands(verdict: Verdict, here: Deployed, shop: DisorderlyShop, listed: int, letters: int) -> None:
    """The commands count the same as is counted here."""
    rejected = {name.split(": ")[1]: count for name, count in verdict.ends.items() if name.startswith("rejected")}
    audit = told_by(here, "audit", f"s3://{shop.bucket}", "--json")
    counted = {
        "listed": listed,
        "tagged": verdict.ends["tagged"],
        "rejected": sum(rejected.values()),
        "dead_lettered": letters,
        "waiting": 0,
        "missing": 0,
        "stale": 0,
        "orphaned": 0,
    }
    found = {name: audit.get(name) for name in counted}
    verdict.expect(found == counted, f"audit says {found}; counted: {counted}")
    status = told_by(here, "status", "--json")
    dead = sum(queue["dead_letters"] for queue in status["queues"].values())
    verdict.expect(dead == letters, f"status says {dead} dead letters; counted: {letters}")
    verdict.expect(
        _ends_in(status) == {"tagged": verdict.ends["tagged"], "rejected": rejected, "gone": verdict.ends["gone"]},
        f"status says {_ends_in(status)}; counted: {dict(verdict.ends)}",
    )


def _ends_in(status: Mapping[str, Any]) -> dict[str, Any]:
    ends = status.get("ends") or {}
    return {name: ends.get(name) for name in ("tagged", "rejected", "gone")}


def told_by(here: Deployed, *command: str) -> dict[str, Any]:
    """Return the document that a command of the product prints."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CATALOG_TAGGER_"))}
    script = Path(sys.executable).with_name("catalog-tagger")
    done = subprocess.run(
        [script, *command], check=False, capture_output=True, text=True, env={**variables, **environment(here)}
    )
    assert done.returncode in {0, 1}, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
