"""What people do with the product during a chaos run, at the same time: its commands, typed through an injured network.

A command may fail, but then in one line and not with a traceback; and what it acknowledged must last.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.clients import client
from pipeline.errors import RetryLater
from tests.chaos.verdict import ask, start_command
from tests.chaos.words import read_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.chaos.deployment import Deployed
    from tests.chaos.shop import DisorderlyShop

DECISIONS = 12  # in a file: a command takes as long for one
DECIDED_KEYWORDS = 10
BATCH = 8  # changes of the stream
EXPECTED = ("RUNBOOK.md#", "no image was written last by the run")  # in an error with which a command ends with 2
COMMAND_LIMIT_S = 400.0  # through a network in which a call takes seconds
IMAGE_LIMIT_S = 0.1  # and for each image of the shop: some commands read and write them all
KILL_AFTER_S = (0.8, 4.0)  # an export, which takes one or two seconds to begin and one to end
SKEWS_S = (-86_400, -120, 120, 86_400)  # of clocks that are set off
PREFIXES = ("shoes/", "a b/", "über/", "日本/")  # folders that are loaded: all images again and again never end
BETWEEN_S = (2.0, 8.0)  # one command and the next of the same person, at least
EVENTS_BETWEEN = (0.1, 0.4)  # and so many events for each image of the shop (DECISIONS.md, 109)
POLL_S = 0.5
POISON_S = 4.0  # an item that cannot be read lies in the table, with changes before and behind it in the stream
POISONS = (
    {"status": {"S": "paused"}, "revision": {"N": "1"}},
    {"status": {"S": "tagged"}, "observed_at": {"S": "yesterday"}, "revision": {"N": "1"}},
    {"status": {"S": "rejected"}, "reason": {"S": "from_the_future"}, "revision": {"N": "1"}},
    {"status": {"S": "tagged"}},
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that the product acknowledged as made."""

    image: str
    keyword_id: str
    action: str


@dataclass
class Staff:
    """People at work until ``over``. Decisions are those whose end is known: of one that failed, nothing is."""

    here: Deployed
    shop: DisorderlyShop
    seed: int
    happened: Callable[[], int]  # how many events of the shop, so far
    over: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _decided: dict[tuple[str, str], Decided] = field(default_factory=dict)

    @property
    def decided(self) -> list[Decided]:
        """What was acknowledged last, of each image and keyword."""
        return list(self._decided.values())

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let all work at the same time, and end what they have begun."""
        duties = (
            self.load_twice,
            self.decide,
            self.export,
            self.keep_house,
            self.poison,
            self.fail_batch,
            self.search,
        )
        threads = [threading.Thread(target=self._work, args=(duty, number)) for number, duty in enumerate(duties)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def _work(self, duty: Callable[[random.Random], None], number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        while not self._is_over(chance):
            try:
                duty(chance)
            except (BotoCoreError, ClientError, OSError, RetryLater):  # the emulator is being restarted
                self.counts["interrupted by a restart"] += 1
            except Exception as error:  # noqa: BLE001 - a thread's error is a problem of the run
                self.problems.append(f"{duty.__name__}: {error!r}")
                return

    def _is_over(self, chance: random.Random) -> bool:
        """Return whether all is over, when it is, or when the next duty is due."""
        due_at = self.happened() + chance.uniform(*EVENTS_BETWEEN) * self.shop.size
        is_over = self.over.wait(chance.uniform(*BETWEEN_S))
        while not is_over and self.happened() < due_at:
            is_over = self.over.wait(POLL_S)
        return is_over

    # ---- Duties ------------------------------------------------------------------------------------------------------

    def load_twice(self, chance: random.Random) -> None:
        """Two people load at the same time: the same folder, or a manifest that gives some images another product."""
        images = {self._image(chance) for _ in range(DECISIONS)}  # a manifest that names one twice is refused
        products = [(image, f"product {chance.randrange(9)}") for image in sorted(images)]
        manifest = self._write_csv("manifest", ("image", "product"), products)
        catalogue = f"s3://{self.shop.bucket}/{chance.choice(PREFIXES)}"
        second = chance.choice(((catalogue,), (manifest,), (catalogue, "--only", "missing", "--only", "stale")))
        with self._start("load", catalogue, "--json") as first, self._start("load", *second, "--json") as other:
            self._end("load", first)
            self._end("load at the same time", other)

    def decide(self, chance: random.Random) -> None:
        """Somebody decides on a dozen keywords, from a file."""
        keywords = read_words().leaves(DECIDED_KEYWORDS)
        actions = ("pin", "pin", "suppress", "suppress", "release")
        wishes = [
            Decided(self._image(chance), chance.choice(keywords), chance.choice(actions)) for _ in range(DECISIONS)
        ]
        rows = [(wish.image, wish.keyword_id, wish.action) for wish in wishes]
        file = self._write_csv("decisions", ("image", "keyword", "decision"), rows)
        with self._start("pin", "--file", file, "--by", "chaos", "--json") as process:
            report = self._end("pin --file", process)
        is_all = bool(report) and not report["unknown"] and not report["failed"]
        failures = [*report["unknown"], *report["failed"]] if report else []
        for wish in wishes:
            is_made = is_all or (bool(report) and all(wish.image not in failure for failure in failures))
            # A name that is printed otherwise than it is cannot be found among the failures.
            if is_made and (is_all or wish.image.isprintable()):
                self._decided[wish.image, wish.keyword_id] = wish
                self.counts[f"decisions acknowledged: {wish.action}"] += 1
            else:
                self._decided.pop((wish.image, wish.keyword_id), None)

    def export(self, chance: random.Random) -> None:
        """Somebody exports, by a wrong clock or killed half way, or the function folds."""
        way = chance.choice(("export", "killed", "clock", "fold", "fold"))
        if way == "fold":
            functions = client("lambda", self.here.endpoint_url)
            answer = functions.invoke(FunctionName=self.here.stack.export_function_name, Payload=b'{"fold": true}')
            self.counts["folds that failed" if "FunctionError" in answer else "folds"] += 1
        elif way == "killed":
            with self._start("export", "--json") as process:
                time.sleep(chance.uniform(*KILL_AFTER_S))
                self.counts["exports killed" if process.poll() is None else "exports that were too fast to kill"] += 1
                process.kill()
        elif way == "clock":
            skew_s = chance.choice(SKEWS_S)
            with start_command(self.here, "export", "--json", is_injured=True, clock_off_s=skew_s) as process:
                self._end(f"export by a clock {skew_s:+} s off", process)
        else:
            with self._start("export", "--json") as process:
                self._end("export", process)

    def keep_house(self, chance: random.Random) -> None:
        """An operator undoes a run, applies the taxonomy anew, redrives, and asks how things are."""
        run = f"20260101T0000{chance.randrange(60):02}Z-c0ffee"
        catalogue = f"s3://{self.shop.bucket}"
        commands = (
            ("undo", "--run", run),
            ("retag", "--all"),
            ("redrive",),
            ("status",),
            ("audit", catalogue, "--deep"),
        )
        command = chance.choice(commands)
        with self._start(*command, "--json") as process:
            self._end(command[0], process)

    def poison(self, chance: random.Random) -> None:
        """Somebody edits the table by hand: an item that cannot be read, for seconds."""
        table = {"TableName": self.here.stack.table_name}
        key = {"image": {"S": f"s3://{self.shop.bucket}/poison/{chance.randrange(5)}.jpg"}}
        dynamodb = client("dynamodb", self.here.endpoint_url)
        dynamodb.put_item(**table, Item=key | chance.choice(POISONS))
        self.counts["items that cannot be read"] += 1
        self.over.wait(POISON_S)
        dynamodb.delete_item(**table, Key=key)

    def fail_batch(self, chance: random.Random) -> None:
        """A batch of the stream was given up, and comes again with a redrive, long after those behind it."""
        url, stack = self.here.endpoint_url, self.here.stack
        streams, functions = client("dynamodbstreams", url), client("lambda", url)
        stream = client("dynamodb", url).describe_table(TableName=stack.table_name)["Table"]["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
        start = streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
        mappings = functions.list_event_source_mappings(EventSourceArn=stream)["EventSourceMappings"]
        function = next(mapping["FunctionArn"] for mapping in mappings if "ChangesFunction" in mapping["FunctionArn"])
        if records:
            first = chance.randrange(len(records))
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records[first : first + BATCH]]
            sequence = {"startSequenceNumber": numbers[0], "endSequenceNumber": numbers[-1]}
            batch = {"shardId": shard, "streamArn": stream, **sequence}
            letter = {"requestContext": {"functionArn": function}, "DDBStreamBatchInfo": batch}
            client("sqs", url).send_message(QueueUrl=stack.stream_failures_queue_url, MessageBody=json.dumps(letter))
            self.counts["batches of the stream given up, and redriven"] += 1

    def search(self, chance: random.Random) -> None:
        """A shopper searches."""
        name = chance.choice(sorted(read_words().names.values()))
        status, _ = ask(self.here, f"/search?q=%22{name.replace(' ', '%20')}%22")
        self.counts[f"searches answered {status}"] += 1

    # ---- Commands ----------------------------------------------------------------------------------------------------

    def _image(self, chance: random.Random) -> str:
        return f"s3://{self.shop.bucket}/{chance.choice(sorted(self.shop.used))}"

    def _write_csv(self, name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        path = self.here.work / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return str(path)

    def _start(self, *command: str) -> subprocess.Popen[str]:
        return start_command(self.here, *command, is_injured=True)

    def _end(self, name: str, process: subprocess.Popen[str]) -> dict[str, Any] | None:
        """Wait for a command, note what it must not do, and return its report; None where it failed."""
        limit_s = COMMAND_LIMIT_S + IMAGE_LIMIT_S * self.shop.size
        try:
            output, error = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            self.problems.append(f"{name} did not end in {limit_s:.0f} s")
            return None
        code = process.returncode
        self.counts[f"{name}: ended with {code}"] += 1
        # 2 is the caller's mistake. The only one that is made is to undo a run whose images others wrote since; and who
        # loads is told where the deployed function fails.
        is_expected = code in {0, 1} or any(text in error for text in EXPECTED)
        if "Traceback" in error or not is_expected:
            self.problems.append(f"{name} ended with {code}: {error[-600:]}")
        if not output:
            is_a_line = len(error.strip().splitlines()) == 1
            if not is_a_line:
                self.problems.append(f"{name} says {error[-600:]!r}, which is not one line")
            return None
        document: dict[str, Any] = json.loads(output)
        return document
