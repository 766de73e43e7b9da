"""The second act of a chaos run: gaps that somebody makes on purpose, and what the commands make of them.

Nothing is taken from the queues meanwhile. Records are lost, objects are replaced and deleted, and messages are sent:
`audit` and `status` must count exactly that, and `audit --enqueue` must send exactly the gap.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from infra.local.deploy import Deployment
from pipeline.aws.clients import client
from pipeline.images import ImageRef
from pipeline.messages import TagImage
from tests.chaos.deployment import depth
from tests.chaos.shop import Put
from tests.chaos.verdict import read_items, report_of

if TYPE_CHECKING:
    from tests.chaos.deployment import Deployed
    from tests.chaos.shop import DisorderlyShop
    from tests.chaos.verdict import Verdict

SHARE = 50  # one in so many tagged images loses its record, another is replaced, another deleted
ARRIVAL_LIMIT_S = 180
RECENT = timedelta(seconds=60)  # what a rate is of
ROUNDED = 0.001


@dataclass(frozen=True)
class Gaps:
    """What was done, by key."""

    lost: list[str]
    replaced: list[str]
    deleted: list[str]
    sent: list[str]

    @classmethod
    def make(cls, here: Deployed, shop: DisorderlyShop, seed: int) -> Gaps:
        """Make gaps in a shop in which all is right."""
        chance = random.Random(seed)
        items = {image: item for image, item in read_items(here).items() if item["status"] == "tagged"}
        tagged = sorted(image.removeprefix(f"s3://{shop.bucket}/") for image in items)
        count = max(len(tagged) // SHARE, 1)
        chosen = chance.sample(tagged, 4 * count)
        gaps = cls(*(chosen[at : at + count] for at in range(0, 4 * count, count)))
        dynamodb = client("dynamodb", here.endpoint_url)
        for key in gaps.lost:
            wire = {"image": {"S": items[f"s3://{shop.bucket}/{key}"]["image"]}}
            dynamodb.delete_item(TableName=here.stack.table_name, Key=wire)
        s3 = client("s3", here.endpoint_url)
        for key in gaps.replaced:
            # Behind a picture's end: other bytes, same picture.
            put = shop.put(Put(key, shop.good[0].data + chance.randbytes(9)), shop.good[0])
            s3.put_object(Bucket=shop.bucket, Key=key, Body=put.data)
        for key in gaps.deleted:
            s3.delete_object(Bucket=shop.bucket, Key=key)
        sqs = client("sqs", here.endpoint_url)
        for key in gaps.sent:
            sqs.send_message(
                QueueUrl=here.stack.backfill_queue_url, MessageBody=TagImage(ImageRef(shop.bucket, key)).encode()
            )
        return gaps

    @property
    def waiting(self) -> int:
        """How many messages wait: those that were sent, and what S3 tells by itself."""
        return len(self.replaced) + len(self.deleted) + len(self.sent)

    @property
    def count(self) -> int:
        """How many images another look would put right."""
        return len(self.lost) + len(self.replaced) + len(self.deleted)


def judge_gaps(verdict: Verdict, here: Deployed, shop: DisorderlyShop, seed: int) -> Gaps:
    """Make gaps, hold what the commands say of them against what was done, and let the gap be sent."""
    address, deployment = f"s3://{shop.bucket}", Deployment.at(here.endpoint_url)
    rejected = sum(count for name, count in verdict.ends.items() if name.startswith("rejected"))
    report_of(here, "export", "--json")
    deployment.listen(to_queues=False)
    gaps = Gaps.make(here, shop, seed)
    _wait_for(here, gaps.waiting)
    counted = {
        "listed": verdict.ends["tagged"] + rejected - len(gaps.deleted),
        "tagged": verdict.ends["tagged"] - gaps.count,
        "rejected": rejected,
        "dead_lettered": verdict.dead.total(),
        "waiting": gaps.waiting,
        "missing": len(gaps.lost),
        "stale": len(gaps.replaced),
        "orphaned": len(gaps.deleted),
        "not_exported": 0,
        "export_stale": 0,
        "export_wrong": 0,
        "exported_orphan": len(gaps.lost),  # nothing takes the stream meanwhile
        "enqueued": gaps.count,
    }
    most_per_s = _ended_per_s(here)[1]
    status = report_of(here, "status", "--json")
    least_per_s = _ended_per_s(here)[0]
    waiting = Counter({name: queue["waiting"] for name, queue in status["queues"].items()})
    expected = {"uploads": len(gaps.replaced) + len(gaps.deleted), "backfill": len(gaps.sent)}
    verdict.expect(dict(waiting) == expected, f"status says that {dict(waiting)} wait; counted: {expected}")
    rate_per_s, left_s = status["rate_per_s"], status["left_s"]
    verdict.expect(
        least_per_s - ROUNDED <= rate_per_s <= most_per_s + ROUNDED,
        f"status says {rate_per_s} images a second; counted: {least_per_s} to {most_per_s}",
    )
    verdict.expect(
        abs(left_s * rate_per_s - gaps.waiting) < 0.1 * gaps.waiting if rate_per_s else status["idle_because"],
        f"at {rate_per_s} images a second status says {left_s} s are left, idle because {status['idle_because']}",
    )
    audit = report_of(here, "audit", address, "--enqueue", "--json")
    reported = {name: audit.get(name) for name in counted}
    verdict.expect(reported == counted, f"with gaps, audit says {reported}; counted: {counted}")
    _wait_for(here, gaps.waiting + gaps.count)
    deployment.listen(to_queues=True)
    return gaps


def _ended_per_s(here: Deployed) -> tuple[float, float]:
    """Return how many images a second came to an end in the last minute, and since the first of them did."""
    now = datetime.now(UTC)
    times = [datetime.fromisoformat(item["observed_at"]) for item in read_items(here).values()]
    recent = [time for time in times if time > now - RECENT]
    since_first_s = max((now - min(recent, default=now)).total_seconds(), 1)
    return len(recent) / RECENT.total_seconds(), len(recent) / since_first_s


def _wait_for(here: Deployed, count: int) -> None:
    """Return when so many messages wait: S3 tells of a change a moment later."""
    sqs, until_s = client("sqs", here.endpoint_url), time.monotonic() + ARRIVAL_LIMIT_S
    while True:
        waiting, _ = depth(sqs, here)
        if waiting == count:
            return
        assert time.monotonic() < until_s, f"{waiting} messages wait, not {count}"
        time.sleep(0.1)
