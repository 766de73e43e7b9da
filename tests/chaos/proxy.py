"""An HTTP proxy that injures what goes through it: the network and the services as they are on their worst day.

``python -m tests.chaos.proxy PORT UPSTREAM_PORT SEED`` serves until it is ended. ``GET /_chaos/counts`` tells what was
done so far, and ``POST /_chaos/calm`` ends the injuries.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

HOST = "127.0.0.1"
HEAD_LIMIT_BYTES = 1 << 20
BODY_END = b"\r\n\r\n"
EVERYDAY = 0.04  # the share of calls that are injured between storms
STORM = 0.6  # and in a storm, of the calls that it is about
CALM_S, STORM_S = (2.0, 6.0), (2.0, 4.0)
HANG_S = 11.0  # longer than a client of ours reads
HANG_SHARE = 0.03  # of the injuries: each costs a thread for that long
SLOW_S = (0.3, 3.0)
LATE_S = (1.0, 25.0)  # until a write lands that its caller took for lost
STORE_WRITES = frozenset({"PUT", "DELETE", "PutItem", "UpdateItem", "DeleteItem", "SendMessage", "SendMessageBatch"})
BATCHES = frozenset({"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"})
ON_THEIR_WAY = "late writes on their way"


class Injury(StrEnum):
    """What is done to a call."""

    ERROR_500 = "answered 500"
    SLOW_DOWN = "answered 503, slow down"
    GATEWAY = "answered 502 in HTML"
    THROTTLED = "throttled"
    UNPROCESSED = "batch left unprocessed"
    CUT_BEFORE = "cut before it arrived"
    CUT_AFTER = "carried out, answer lost"
    RESET_INSIDE = "reset inside the answer"
    ENDED_INSIDE = "answer ended half way"
    SLOW = "answered slowly"
    HANGS = "hangs until it times out"
    LATE = "written late, taken for lost"
    PARTIAL = "answered with failed entries"


AT_S3 = (
    Injury.ERROR_500,
    Injury.SLOW_DOWN,
    Injury.GATEWAY,
    Injury.CUT_BEFORE,
    Injury.CUT_AFTER,
    Injury.RESET_INSIDE,
    Injury.ENDED_INSIDE,
    Injury.SLOW,
    Injury.LATE,
)
AT_DYNAMODB = (
    Injury.ERROR_500,
    Injury.THROTTLED,
    Injury.GATEWAY,
    Injury.CUT_BEFORE,
    Injury.CUT_AFTER,
    Injury.RESET_INSIDE,
    Injury.UNPROCESSED,
    Injury.SLOW,
    Injury.LATE,
)
AT_SQS = (Injury.ERROR_500, Injury.THROTTLED, Injury.CUT_BEFORE, Injury.CUT_AFTER, Injury.PARTIAL, Injury.LATE)
KINDS = {"s3": AT_S3, "dynamodb": AT_DYNAMODB, "sqs": AT_SQS}


@dataclass(frozen=True, slots=True)
class Call:
    """A request or an answer as it stands on the wire."""

    head: bytes
    body: bytes

    @property
    def operation(self) -> str:
        """What is asked for: the operation's name, or of S3 the method."""
        target = _header(self.head, b"x-amz-target")
        return target.decode().rsplit(".", 1)[-1] if target else self.head.split(b" ", 1)[0].decode()

    @property
    def is_of_the_export(self) -> bool:
        """Whether it reads or writes a file of the export."""
        return b"-export-" in self.head.split(b"\r\n", 1)[0]

    @property
    def service(self) -> str:
        """Whom it is asked of."""
        target = _header(self.head, b"x-amz-target") or b""
        return "dynamodb" if target.startswith(b"DynamoDB") else "sqs" if target.startswith(b"AmazonSQS") else "s3"


def _fits(injury: Injury, call: Call) -> bool:
    """Return whether this can be done to this call."""
    operations = {
        Injury.UNPROCESSED: frozenset({"BatchGetItem"}),
        Injury.PARTIAL: BATCHES,
        Injury.LATE: STORE_WRITES,
    }
    return injury not in operations or call.operation in operations[injury]


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


@dataclass
class Weather:
    """Decides what is injured: a little always, and much of one kind in storms."""

    chance: random.Random
    clock: asyncio.AbstractEventLoop
    calm: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    _storm: tuple[str, Injury | None] | None = None
    _until_s: float = 0.0

    def injury(self, call: Call) -> Injury | None:
        """Return what is to be done to this call."""
        self.counts["calls"] += 1
        if self.calm:
            return None
        self._change()
        kinds = [kind for kind in KINDS[call.service] if _fits(kind, call)]
        injury: Injury | None = None
        if self._storm and self._storm[0] == call.service and self.chance.random() < STORM:
            injury = self._storm[1] or self.chance.choice(kinds)
        elif self.chance.random() < EVERYDAY:
            injury = Injury.HANGS if self.chance.random() < HANG_SHARE else self.chance.choice(kinds)
        if injury is not None and not _fits(injury, call):
            injury = Injury.CUT_AFTER
        if injury is Injury.HANGS and call.is_of_the_export:
            # The emulator calls the functions of a stream one by one, so a hang would stop all the others.
            injury = Injury.SLOW
        if injury:
            self.counts[f"{call.service}: {injury}"] += 1
            self.counts["injured calls of the export"] += call.is_of_the_export
        return injury

    def _change(self) -> None:
        if self.clock.time() < self._until_s:
            return
        if self._storm or not self._until_s:
            self._storm, length_s = None, self.chance.uniform(*CALM_S)
        else:
            service = self.chance.choice([*KINDS])
            self._storm = (service, self.chance.choice([None, *KINDS[service]]))
            length_s = self.chance.uniform(*STORM_S)
        self._until_s = self.clock.time() + length_s


@dataclass
class Proxy:
    """Passes calls on, unless the weather is against it."""

    upstream_port: int
    weather: Weather
    tasks: set[asyncio.Task[None] | None] = field(default_factory=set)  # what nobody holds may be forgotten half way

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client until either end closes it."""
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.tasks.add(asyncio.current_task())
        try:
            while call := await _request(reader, writer):
                if call.head.split(b" ", 2)[1].startswith(b"/_chaos/"):
                    self._told(call, writer)
                    continue
                upstream = upstream or await asyncio.open_connection(HOST, self.upstream_port, limit=HEAD_LIMIT_BYTES)
                if not await self._pass_on(call, upstream, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.tasks.discard(asyncio.current_task())
            for end in (upstream[1] if upstream else None, writer):
                if end is not None:
                    with suppress(OSError):
                        end.close()

    def _told(self, call: Call, writer: asyncio.StreamWriter) -> None:
        if b"/_chaos/calm" in call.head:
            self.weather.calm = True
        writer.write(_answer(200, "OK", json.dumps(self.weather.counts).encode(), b"application/json"))

    async def _pass_on(
        self, call: Call, upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter], writer: asyncio.StreamWriter
    ) -> bool:
        """Return whether the connection can be used again."""
        injury = self.weather.injury(call)
        if injury is Injury.HANGS:
            await asyncio.sleep(HANG_S)
            return False
        if injury is Injury.LATE:
            task = asyncio.create_task(self._land(call))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        if injury in {Injury.CUT_BEFORE, Injury.LATE}:
            writer.transport.abort()
            return False
        if injury and (refusal := _refusal(injury, call)):
            writer.write(refusal)
            await writer.drain()
            return True
        if injury is Injury.PARTIAL:
            return await _pass_on_some(call, upstream, writer, self.weather.chance)
        upstream[1].write(call.head + call.body)
        answer = await _response(upstream[0], call)
        return await _give(answer, injury, writer, self.weather.chance)

    async def _land(self, call: Call) -> None:
        """Carry out a write when its caller has long given it up."""
        counts = self.weather.counts
        counts[ON_THEIR_WAY] += 1
        try:
            await asyncio.sleep(self.weather.chance.uniform(*LATE_S))
            reader, writer = await asyncio.open_connection(HOST, self.upstream_port, limit=HEAD_LIMIT_BYTES)
            writer.write(call.head + call.body)
            answer = await _response(reader, call)
            is_refused = not answer.head.split(b" ", 2)[1].startswith(b"2")
            counts["late writes that were refused" if is_refused else "late writes that landed"] += 1
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            counts["late writes that were lost"] += 1  # the emulator was down just then
        finally:
            counts[ON_THEIR_WAY] -= 1


async def _pass_on_some(
    call: Call,
    upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    writer: asyncio.StreamWriter,
    chance: random.Random,
) -> bool:
    """Let some entries of a batch, perhaps all, fail in an answer that is otherwise a success."""
    body = json.loads(call.body)
    entries = body["Entries"]
    failed = chance.sample(entries, chance.randrange(1, len(entries) + 1))
    answered: dict[str, object] = {"Successful": []}
    if len(failed) < len(entries):
        body["Entries"] = [entry for entry in entries if entry not in failed]
        data = json.dumps(body).encode()
        upstream[1].write(re.sub(rb"(?i)(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(data), call.head) + data)
        answered = json.loads((await _response(upstream[0], call)).body)
    error = {"SenderFault": False, "Code": "InternalError", "Message": "made up"}
    answered["Failed"] = [{"Id": entry["Id"], **error} for entry in failed]
    writer.write(_answer(200, "OK", json.dumps(answered).encode(), b"application/x-amz-json-1.0"))
    await writer.drain()
    return True


async def _give(answer: Call, injury: Injury | None, writer: asyncio.StreamWriter, chance: random.Random) -> bool:
    if injury is Injury.CUT_AFTER:
        writer.transport.abort()
        return False
    if injury in {Injury.RESET_INSIDE, Injury.ENDED_INSIDE}:
        writer.write(answer.head + answer.body[: len(answer.body) // 2])
        await writer.drain()
        if injury is Injury.RESET_INSIDE:
            writer.transport.abort()
        return False
    if injury is Injury.SLOW:
        pieces, length_s = 5, chance.uniform(*SLOW_S)
        whole = answer.head + answer.body
        for at in range(pieces):
            await asyncio.sleep(length_s / pieces)
            writer.write(whole[len(whole) * at // pieces : len(whole) * (at + 1) // pieces])
            await writer.drain()
        return True
    writer.write(answer.head + answer.body)
    await writer.drain()
    return True


def _refusal(injury: Injury, call: Call) -> bytes | None:
    """Return the answer of a service that is unwell, or None where the injury is another one."""
    throttle = "ProvisionedThroughputExceededException" if call.service == "dynamodb" else "RequestThrottled"
    json_errors = {Injury.ERROR_500: (500, "InternalServerError"), Injury.THROTTLED: (400, throttle)}
    if injury is Injury.GATEWAY:
        return _answer(502, "Bad Gateway", b"<html><body>Bad Gateway</body></html>", b"text/html")
    if injury is Injury.UNPROCESSED:
        left = {"Responses": {}, "UnprocessedKeys": json.loads(call.body)["RequestItems"]}
        return _answer(200, "OK", json.dumps(left).encode(), b"application/x-amz-json-1.0")
    if call.service == "s3" and injury in {Injury.ERROR_500, Injury.SLOW_DOWN}:
        status, code = (500, "InternalError") if injury is Injury.ERROR_500 else (503, "SlowDown")
        body = f"<Error><Code>{code}</Code><Message>made up</Message></Error>".encode()
        return _answer(status, code, body, b"application/xml")
    if injury in json_errors:
        status, code = json_errors[injury]
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "made up"}).encode()
        return _answer(status, code, body, b"application/x-amz-json-1.0")
    return None


def _answer(status: int, reason: str, body: bytes, kind: bytes) -> bytes:
    return b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        status, reason.encode(), kind, len(body), body,
    )  # fmt: skip


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call | None:
    try:
        head = await reader.readuntil(BODY_END)
    except asyncio.IncompleteReadError:
        return None
    if _header(head, b"expect"):
        # Whoever writes to S3 waits for this before it sends the body. Upstream gets both at once, and no question.
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
    if (_header(head, b"transfer-encoding") or b"").lower() == b"chunked":
        return Call(head, await _chunks(reader))
    return Call(head, await reader.readexactly(int(_header(head, b"content-length") or 0)))


async def _response(reader: asyncio.StreamReader, call: Call) -> Call:
    head = await reader.readuntil(BODY_END)
    status = int(head.split(b" ", 2)[1])
    if call.head.startswith(b"HEAD") or status in {204, 304}:
        return Call(head, b"")
    if (_header(head, b"transfer-encoding") or b"").lower() == b"chunked":
        return Call(head, await _chunks(reader))
    return Call(head, await reader.readexactly(int(_header(head, b"content-length") or 0)))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    data = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        data += line + await reader.readexactly(size + 2)
        if not size:
            return bytes(data)


async def main(port: int, upstream_port: int, seed: int) -> None:
    """Serve until the process is ended."""
    weather = Weather(random.Random(seed), asyncio.get_running_loop())
    proxy = Proxy(upstream_port, weather)
    server = await asyncio.start_server(proxy.serve, HOST, port, limit=HEAD_LIMIT_BYTES)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*(int(argument) for argument in sys.argv[1:4])))
