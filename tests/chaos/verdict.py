"""What must be true after a chaos run, read from AWS itself: nothing here goes through the product's own code.

Items of the table, objects, files of the export and dead letters are read by boto3 and pyarrow. What a picture shows is
known since it was drawn. The product is only asked to be judged: its search API, `audit` and `status`
(DECISIONS.md, 105).
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pyarrow.parquet as pq

from infra.package import ROOT
from pipeline.aws.clients import client
from tests.chaos.deployment import Deployed, environment
from tests.chaos.words import read_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.chaos.shop import DisorderlyShop, Truth
    from tests.chaos.staff import Decided

SURE = 0.999  # pictures that are classified together round otherwise than alone
SHOWN_PROBLEMS = 20
PAGE = 25  # results, so that a search has several pages
REFRESHED_S = 10.0
SETTLED_S = 180.0  # until a change is in the export and searched: 2 to 5 s on an idle machine
LETTERS_S = 330.0  # until letters come back that a command hid and could not release: SQS hides them for 300 s
ENDS = frozenset({"tagged", "rejected"})  # what is exported

Item = dict[str, Any]


@dataclass
class Verdict:
    """What was found, and everything that is not as it must be."""

    ends: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def expect(self, is_so: object, problem: str) -> None:
        """Note the problem unless it is so."""
        if not is_so:
            self.problems.append(problem)


# ---- What lies in AWS ------------------------------------------------------------------------------------------------


def read_items(here: Deployed) -> dict[str, Item]:
    """Return every item of the table by the image's name, s3://bucket/key, its values as plain ones."""
    pages = client("dynamodb", here.endpoint_url).get_paginator("scan").paginate(TableName=here.stack.table_name)
    items = [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]
    return {item.get("long_image") or item["image"]: item for item in items}


def plain(value: Mapping[str, Any]) -> Any:
    """Return what stands in an attribute as DynamoDB writes it."""
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content)
    if kind == "L":
        return [plain(entry) for entry in content]
    return {name: plain(entry) for name, entry in content.items()} if kind == "M" else content


def read_objects(here: Deployed, bucket: str) -> dict[str, str]:
    """Return the ETag of every object by its key."""
    pages = client("s3", here.endpoint_url).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}


def keywords_of(item: Item) -> dict[str, float]:
    """Return the scores of an item's keywords."""
    return {tag["id"]: tag["score"] for tag in item.get("keywords", ())}


@dataclass(frozen=True)
class ExportFiles:
    """The files of an export, wherever they lie in a bucket."""

    here: Deployed
    prefix: str

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        s3 = client("s3", self.here.endpoint_url)
        return s3.get_object(Bucket=self.here.stack.export_bucket, Key=self.prefix + name)["Body"].read()

    def rows(self, name: str) -> list[Item]:
        """Return the rows of a Parquet file."""
        return pq.read_table(io.BytesIO(self.read(name))).to_pylist()

    def latest(self) -> dict[str, Any]:
        """Return what ``latest.json`` says."""
        return json.loads(self.read("latest.json"))

    def part_rows(self, latest: Mapping[str, Any], part: str) -> list[Item]:
        """Return the rows of all files of a part of the snapshot."""
        manifest = json.loads(self.read(latest["manifest"]["name"]))
        folder = latest["manifest"]["name"].rpartition("/")[0]
        return [row for file in manifest[part] for row in self.rows(f"{folder}/{file['name']}")]

    def shown(self) -> dict[str, Item]:
        """Return the row of every image that searches see: the snapshot's, under the deltas in their order."""
        latest = self.latest()
        shown = {row["image"]: row for row in self.part_rows(latest, "images")}
        for delta in latest["deltas"]:
            for row in self.rows(delta["name"]):
                shown.pop(row["image"], None)
                if row["change"] == "put":
                    shown[row["image"]] = row
        return shown

    def history(self, image: str) -> str:
        """Return what the snapshot and each delta say of an image, to find out why searches do not see it as it is."""
        latest = self.latest()
        rows = [(latest["snapshot"], row) for row in self.part_rows(latest, "images")]
        rows += [(delta["name"], row) for delta in latest["deltas"] for row in self.rows(delta["name"])]
        lines = [f"{file}: {row.get('change')} {row['revision']}" for file, row in rows if row["image"] == image]
        return "; ".join([f"read from {latest['snapshot']}", *lines])


def read_letters(here: Deployed) -> list[Mapping[str, Any]]:
    """Return every dead letter once, and let them all be seen again."""
    sqs, letters = client("sqs", here.endpoint_url), []
    for url in (here.stack.uploads_dead_letter_queue_url, here.stack.backfill_dead_letter_queue_url):
        wait_until(lambda url=url: not hidden_letters(sqs, url), LETTERS_S)
        received: dict[str, Mapping[str, Any]] = {}
        options = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 600, "MessageAttributeNames": ["All"]}
        while messages := sqs.receive_message(QueueUrl=url, **options).get("Messages"):
            received |= {message["MessageId"]: message for message in messages}
        for message in received.values():
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        letters += received.values()
    return letters


def hidden_letters(sqs: Any, url: str) -> int:
    """Return how many letters somebody received and has not released."""
    name = "ApproximateNumberOfMessagesNotVisible"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def wait_until(reached: Callable[[], object], limit_s: float) -> bool:
    """Return whether it is reached within so many seconds."""
    until_s = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.5)
    return True


# ---- The verdict -----------------------------------------------------------------------------------------------------


def judged(here: Deployed, shop: DisorderlyShop, bad_bodies: Sequence[str], decided: Iterable[Decided]) -> Verdict:
    """Return the verdict: every key ever used has one end, the right one, in the table, the export and searches."""
    verdict = Verdict()
    items, objects, letters = read_items(here), read_objects(here, shop.bucket), read_letters(here)
    judge_items(verdict, shop, items, objects, decided)
    judge_export(verdict, here, items)
    judge_searches(verdict, here, items)
    _judge_letters(verdict, letters, bad_bodies)
    _judge_commands(verdict, here, shop, len(objects), len(letters))
    return verdict


def judge_items(
    verdict: Verdict,
    shop: DisorderlyShop,
    items: Mapping[str, Item],
    objects: Mapping[str, str],
    decided: Iterable[Decided],
) -> None:
    """Every key ever used has one item, of the object as it is, with the right keywords and what people decided."""
    prefix, decisions = f"s3://{shop.bucket}/", decisions_by_image(decided)
    for key in sorted(shop.used):
        etag, image = objects.get(key), prefix + key
        truth = None if etag is None else shop.truths[etag]
        _judge_item(verdict, items.get(image), etag, truth, decisions.get(image, {}), image[:80])
    strangers = items.keys() - {prefix + key for key in shop.used}
    verdict.expect(not strangers, f"there are items of keys that nobody ever used: {sorted(strangers)[:2]}")
    verdict.expect(objects.keys() <= shop.used, "there is an object that nobody put")


def decisions_by_image(decided: Iterable[Decided]) -> dict[str, dict[str, str]]:
    """Return the last decision on each keyword by image: pin, suppress, or release, which leaves none."""
    decisions: dict[str, dict[str, str]] = {}
    for decision in decided:
        decisions.setdefault(decision.image, {})[decision.keyword_id] = decision.action
    return decisions


def _judge_item(  # noqa: PLR0913, PLR0917 - what is known of a key
    verdict: Verdict, item: Item | None, etag: str | None, truth: Truth | None, decided: Mapping[str, str], name: str
) -> None:
    if item is None:
        verdict.problems.append(f"{name}: no end at all; etag {etag}")
        return
    recorded = {decision["id"]: decision["kind"] for decision in item.get("decisions", ())}
    for keyword_id, action in decided.items():
        is_kept = recorded.get(keyword_id) == (None if action == "release" else action)
        verdict.expect(is_kept, f"{name}: {action} {keyword_id} was acknowledged, and {recorded} is on record")
    if truth is None:
        verdict.ends["gone"] += 1
        verdict.expect(item["status"] == "gone", f"{name}: not there, but {item['status']}")
        return
    verdict.expect(item.get("etag") == etag, f"{name}: {item['status']} of an older object")
    if isinstance(truth, str):
        verdict.ends[f"rejected: {truth}"] += 1
        verdict.expect(item.get("reason") == truth, f"{name}: {item.get('reason')}, but must be rejected as {truth}")
        return
    verdict.ends["tagged"] += 1
    expected = with_decisions(truth, recorded)
    keywords = keywords_of(item)
    verdict.expect(
        keywords.keys() == expected and all(score >= SURE for score in keywords.values()),
        f"{name}: {item['status']} {keywords}, but must be {expected}",
    )


def with_decisions(truth: Iterable[str], recorded: Mapping[str, str]) -> set[str]:
    """Return the keywords of a picture with what people decided: a pin brings those above it too."""
    words = read_words()
    pinned = {above for keyword_id, kind in recorded.items() if kind == "pin" for above in words.line(keyword_id)}
    return {*truth, *pinned} - {keyword_id for keyword_id, kind in recorded.items() if kind == "suppress"}


def judge_export(verdict: Verdict, here: Deployed, items: Mapping[str, Item]) -> None:
    """What searches read is what the table holds, and each snapshot's postings are the keywords of its images."""
    files = ExportFiles(here, here.stack.export_prefix)
    expected = {image: _exported(item) for image, item in items.items() if item["status"] in ENDS}

    def differences() -> list[str]:
        shown = {image: _exported(row) for image, row in files.shown().items()}
        changed = [image for image in expected.keys() & shown.keys() if expected[image] != shown[image]]
        return sorted([*(expected.keys() ^ shown.keys()), *changed])

    wait_until(lambda: not differences(), SETTLED_S)
    for image in differences()[:SHOWN_PROBLEMS]:
        row = files.shown().get(image)
        verdict.problems.append(
            f"{image[:80]}: exported as {row and _exported(row)}, the table has {expected.get(image)}"
            f" ({files.history(image)})"
        )
    latest = files.latest()
    tags = {(row["image"], *tag) for row in files.part_rows(latest, "images") for tag in _exported(row)[-1]}
    postings = [
        (row["image"], row["keyword_id"], round(row["score"], 4)) for row in files.part_rows(latest, "postings")
    ]
    verdict.expect(set(postings) == tags and len(postings) == len(tags), "postings are not the keywords of the images")
    verdict.checks["exported rows compared"] += len(expected)


def _exported(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an item and its row of the export have in common."""
    names = ("status", "etag", "product", "reason", "revision")
    keywords = sorted((tag.get("id") or tag["keyword_id"], round(tag["score"], 4)) for tag in row.get("keywords") or ())
    return (*(row.get(name) for name in names), tuple(keywords))


def judge_searches(verdict: Verdict, here: Deployed, items: Mapping[str, Item]) -> None:
    """Ask the search API, page by page, and hold each answer against the table: nothing missing, nothing gone shown."""
    words = read_words()
    tagged = {image: set(keywords_of(item)) for image, item in items.items() if item["status"] == "tagged"}
    counts = Counter(keyword_id for keyword_ids in tagged.values() for keyword_id in keyword_ids)
    alone = [keyword_id for keyword_id, _ in counts.most_common() if _is_name_of_one(words.names, keyword_id)]
    if len(alone) < 2:
        return

    def images_of(keyword_id: str) -> set[str]:
        below = words.below(keyword_id)
        return {image for image, keyword_ids in tagged.items() if keyword_ids & below}

    first, second = alone[0], alone[1]
    queries = {f'"{words.names[keyword_id]}"': images_of(keyword_id) for keyword_id in alone}
    left, right = f'"{words.names[first]}"', f'"{words.names[second]}"'
    queries |= {
        f"{left} OR {right}": images_of(first) | images_of(second),
        f"{left} AND {right}": images_of(first) & images_of(second),
        f"{left} AND NOT {right}": images_of(first) - images_of(second),
        f"({left} min:0.9) OR {right}": images_of(first) | images_of(second),
    }
    for query, expected in queries.items():
        answered = search_all(here, query)
        if answered != sorted(expected):  # the API looks for news every two seconds
            time.sleep(REFRESHED_S)
            answered = search_all(here, query)
        odd = sorted(set(answered) ^ expected)[:3]
        verdict.expect(
            answered == sorted(expected), f"search {query} finds {len(answered)} images, not {len(expected)}: {odd}"
        )
    verdict.checks["searches compared"] += len(queries)


def _is_name_of_one(names: Mapping[str, str], keyword_id: str) -> bool:
    return sum(name == names[keyword_id] for name in names.values()) == 1


def search_all(here: Deployed, query: str) -> list[str]:
    """Return the images of all pages of a search, sorted; one that is on two pages is in it twice."""
    images: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        status, page = ask(here, f"/search?{urlencode({'q': query, 'by': 'image', 'limit': PAGE, 'cursor': cursor})}")
        if status != 200:
            return [f"{status}: {page}"]
        images += [result["image"] for result in page["results"]]
        cursor = page["next"]
    return sorted(images)


def ask(here: Deployed, path: str) -> tuple[int, Any]:
    """Return the status and the document that the API answers."""
    try:
        with urllib.request.urlopen(here.api_url + path, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")[:200]


def _judge_letters(verdict: Verdict, letters: Sequence[Mapping[str, Any]], bad_bodies: Sequence[str]) -> None:
    bodies, bad = [letter["Body"] for letter in letters], set(bad_bodies)
    lost = bad - set(bodies)
    verdict.expect(not lost, f"{len(lost)} bad messages are lost, such as {sorted(lost)[:2]}")
    for letter in letters:
        error = letter.get("MessageAttributes", {}).get("error", {}).get("StringValue", "")
        verdict.dead[error.split(":")[0] or "without an error"] += 1
        verdict.expect(
            letter["Body"] in bad and error.startswith("BadMessage: "),
            f"a dead letter that must not be: {letter['Body'][:80]!r}, {error!r}",
        )


def _judge_commands(verdict: Verdict, here: Deployed, shop: DisorderlyShop, listed: int, letters: int) -> None:
    """The commands count the same as is counted here."""
    rejected = {name.split(": ")[1]: count for name, count in verdict.ends.items() if name.startswith("rejected")}
    audit = report_of(here, "audit", f"s3://{shop.bucket}", "--json")
    counted = {
        "listed": listed,
        "tagged": verdict.ends["tagged"],
        "rejected": sum(rejected.values()),
        "dead_lettered": letters,
        "waiting": 0,
        "missing": 0,
        "stale": 0,
        "orphaned": 0,
        "unreadable": 0,
    }
    reported = {name: audit.get(name) for name in counted}
    verdict.expect(reported == counted, f"audit says {reported}; counted: {counted}")
    status = report_of(here, "status", "--json")
    dead = sum(queue["dead_letters"] for queue in status["queues"].values())
    verdict.expect(dead == letters, f"status says {dead} dead letters; counted: {letters}")
    verdict.expect(
        _ends_in(status) == {"tagged": verdict.ends["tagged"], "rejected": rejected, "gone": verdict.ends["gone"]},
        f"status says {_ends_in(status)}; counted: {dict(verdict.ends)}",
    )


def _ends_in(status: Mapping[str, Any]) -> dict[str, Any]:
    ends = status.get("ends") or {}
    return {name: ends.get(name) for name in ("tagged", "rejected", "gone")}


# ---- The product's commands ------------------------------------------------------------------------------------------


def start_command(
    here: Deployed, *command: str, is_injured: bool = False, clock_off_s: int = 0
) -> subprocess.Popen[str]:
    """Start a command of the product; ``is_injured``: through the proxy, where everything goes through it."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CATALOG_TAGGER_"))}
    script = [str(Path(sys.executable).with_name("catalog-tagger"))]
    by_wrong_clock = [sys.executable, "-m", "tests.chaos.clock", str(clock_off_s)]
    return subprocess.Popen(
        [*(by_wrong_clock if clock_off_s else script), *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**variables, **environment(here, is_injured=is_injured)},
    )


def report_of(here: Deployed, *command: str) -> dict[str, Any]:
    """Return the document that a command of the product prints, in peace."""
    with start_command(here, *command) as process:
        output, error = process.communicate()
    assert process.returncode in {0, 1}, error
    document: dict[str, Any] = json.loads(output)
    return document
