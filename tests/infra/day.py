"""A day of the deployed template: every function does all that it can do, wherever and however it is run."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from PIL import Image

from pipeline.aws.clients import client
from pipeline.images import ImageRef
from pipeline.messages import TagImage

if TYPE_CHECKING:
    from tests.infra.stack_account import Account


@dataclass
class Day:
    """A stack whose functions nobody else calls, and what they are asked and answer. A subclass runs them."""

    account: Account
    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: dict[str, list[Any]] = field(default_factory=dict)

    @cached_property
    def names(self) -> dict[str, str]:
        """The real name of each resource."""
        return self.account.physical()

    def configuration(self, function: str) -> dict[str, Any]:
        """Return how the function is configured, as the template says."""
        functions = client("lambda", self.account.endpoint_url)
        return functions.get_function_configuration(FunctionName=self.names[function])

    def variables(self, function: str) -> dict[str, str]:
        """Return what the function is told, and where its AWS is."""
        told = self.configuration(function)["Environment"]["Variables"]
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        return told | keys | {"AWS_ENDPOINT_URL": self.account.endpoint_url}

    def run(self, function: str, *events: Any) -> list[Any]:
        """Return the answers to the events; an event may stand in ``event``, with the time left beside it."""
        wanted = [each if "event" in each else {"event": each} for each in events]
        self.asked += [each["event"] for each in wanted]
        answers = self.answers(function, wanted)
        self.answered.setdefault(function, []).extend(answers)
        return answers

    def answers(self, function: str, wanted: list[dict[str, Any]]) -> list[Any]:
        """Return what the function answers."""
        raise NotImplementedError


def http(route: str, body: Any = None, **parts: Any) -> dict[str, Any]:
    """Return the event of an HTTP request to a route of the template, as Amazon API Gateway hands it over."""
    method, _, path = route.partition(" ")
    path = path.replace("{proxy+}", parts.pop("path", ""))
    for name, value in parts.get("pathParameters", {}).items():
        path = path.replace(f"{{{name}+}}", value).replace(f"{{{name}}}", value)
    request = {"method": method.replace("ANY", parts.pop("method", "GET")), "path": path, "sourceIp": "127.0.0.1"}
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "&".join(f"{k}={v}" for k, v in parts.get("queryStringParameters", {}).items()),
        "headers": {"content-type": "application/json", "host": "shop"},
        "requestContext": {"http": request, "stage": "$default", "requestId": "1", "accountId": "1", "apiId": "1"},
        "isBase64Encoded": False,
        **({} if body is None else {"body": json.dumps(body)}),
        **parts,
    }


def post(path: str, body: Any = None) -> dict[str, Any]:
    """Return the event of a request that sends something to a path of the API."""
    return http(f"ANY /v1/{path}", body, method="POST")


def photo() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((320, 240), 64).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def said(text: str) -> dict[str, Any]:
    """Return the event of what a browser says through its connection."""
    return {"requestContext": {"routeKey": "$default", "eventType": "MESSAGE", "connectionId": "abc"}, "body": text}


def on_the_wire(value: Any) -> Any:
    """Return a value of a table as events hold it: bytes as a text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: on_the_wire(inner) for name, inner in value.items()}
    return [on_the_wire(inner) for inner in value] if isinstance(value, list) else value


def told(at: int, item: dict[str, Any]) -> dict[str, Any]:
    """Return what the table's stream tells of an item that was written."""
    return {
        "eventID": str(at),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s",
        "dynamodb": {
            "ApproximateCreationDateTime": 1772366400 + at,
            "Keys": {"image": item["image"]},
            "NewImage": {name: on_the_wire(value) for name, value in item.items()},
            "SequenceNumber": str(100 + at),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def record_of(day: Day, image: ImageRef) -> dict[str, Any]:
    """Return the image's item."""
    dynamodb = client("dynamodb", day.account.endpoint_url)
    return dynamodb.get_item(TableName=day.names["Table"], Key={"image": {"S": str(image)}})["Item"]


def batch_event(bucket: str, key: str) -> dict[str, Any]:
    """Return what S3 Batch Operations hands over for an object of a job's manifest, in schema 2.0."""
    task = {"taskId": "dGFzaw", "s3Key": key, "s3VersionId": None, "s3Bucket": bucket}
    return {
        "invocationSchemaVersion": "2.0",
        "invocationId": "aW52b2NhdGlvbg",
        "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce", "userArguments": {}},
        "tasks": [task],
    }


def live_a_day(day: Day) -> None:
    """Let every function do all that it can do: each route asked, each kind of event handed over."""
    bucket, table = day.names["ImagesBucket"], day.names["Table"]
    account = day.account
    theirs = ImageRef(f"{account.name}-theirs", "c.jpg")
    images = [theirs, *(ImageRef(bucket, key) for key in ("b.jpg", "gone.jpg", "rejected.jpg"))]
    account.s3.put_object(Bucket=bucket, Key="rejected.jpg", Body=b"no picture")
    for image in images[:2]:
        account.s3.put_object(Bucket=image.bucket, Key=image.key, Body=photo())

    def messages(*bodies: str, queue: str = "uploads") -> dict[str, Any]:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{account.name}-{queue}"
        record = {"attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs", "eventSourceARN": arn}
        named = [{**record, "messageId": str(at), "receiptHandle": "r", "body": b} for at, b in enumerate(bodies)]
        return {"Records": named}

    looks = messages(*(TagImage(image).encode() for image in images), "no message")
    again = messages("no message", TagImage(images[1]).encode(), queue="backfill")
    day.run("TagFunction", looks, looks, *({"event": each, "remaining_ms": 0} for each in (looks, again)))

    items = client("dynamodb", account.endpoint_url).scan(TableName=table)["Items"]
    changes = {"Records": [told(at, item) for at, item in enumerate(items)]}
    day.run("ChangesFunction", changes, changes)
    day.run("ExportFunction", {"fold": True}, {"plan": True}, *[{}] * 8, {"fold": True})
    day.run("ChangesFunction", changes)
    day.run("ExportFunction", {"fold": True})
    api = "ANY /v1/{proxy+}"
    asked = [
        http(api, path="search", queryStringParameters={"q": "shoe"}),
        http(api, path="suggest", queryStringParameters={"q": "sh"}),
        http(api, path=f"images/{bucket}/b.jpg"),
        http(api, path="products/b"),
        http(api, {"image": str(images[1])}, path="similar", method="POST"),
        http(api, {"ids": ["a", "b"]}, path="products:batch", method="POST"),
        *(http(api, path=path) for path in ("keywords", "healthz")),
    ]
    day.run("ApiFunction", *asked)
    whole = post("classify") | {"body": base64.b64encode(photo()).decode(), "isBase64Encoded": True}
    day.run(
        "ClassifyFunction",
        whole | {"headers": {"content-type": "image/jpeg"}},
        *(post("classify", {"link": str(image)}) for image in images[:2]),
        post("classify", {"link": str(images[2])}),
        http("ANY /v1/models"),
    )
    small = "ANY /v1/thumbnails/{proxy+}"
    day.run(
        "PictureFunction",
        *(http(small, path=f"320/{image.bucket}/{image.key}") for image in (*images[:2], images[1])),
        post("duplicates", {"image": str(images[1]), "candidates": [str(theirs)]}),
    )
    announced = day.run("UploadFunction", post("uploads", {"name": "a.jpg", "type": "image/jpeg", "size": 99}))
    ticket = json.loads(announced[0]["body"])
    upload = ImageRef(bucket, ticket["fields"]["key"])
    account.s3.put_object(Bucket=bucket, Key=upload.key, Body=photo())
    day.run("BatchJobFunction", batch_event(bucket, "b.jpg"))
    admit = said(json.dumps({"ticket": ticket["ticket"]}))
    day.run("WatchFunction", admit, said("no ticket"))
    day.run("TagFunction", messages(TagImage(upload).encode()))
    day.run("NotifyFunction", {"Records": [told(len(items), record_of(day, upload))]})
    day.run("WatchFunction", admit)
    own = {"pathParameters": {"bucket": bucket, "key": upload.key}}
    replaced = {"name": "a.jpg", "type": "image/jpeg", "size": 99}
    day.run(
        "UploadFunction",
        http("PUT /v1/images/{bucket}/{key+}", replaced, **own),
        http("DELETE /v1/images/{bucket}/{key+}", **own),
    )
    settings = http("GET /page/{file}", pathParameters={"file": "settings.json"})
    day.run("PageFunction", http("GET /"), settings, http("GET /docs"), http("GET /openapi.json"))
    day.run(
        "DeskFunction",
        post("photos", {"images": [str(image) for image in images]}),
        post(
            "ratings",
            {"ratings": [{"image": str(images[1]), "keyword": "shoe", "verdict": "wrong", "model_version": "1"}]},
        ),
        http("ANY /v1/status"),
    )
    day.run(
        "DecideFunction",
        post(
            "decisions",
            {"decisions": [{"image": str(images[1]), "keyword": "running shoe", "decision": "pin"}]},
        ),
    )


def refused(day: Day) -> list[tuple[str, int]]:
    """Return the answers that say no, by function and status."""
    answers = [(function, answer) for function, answers in day.answered.items() for answer in answers]
    statuses = [(function, answer["statusCode"]) for function, answer in answers if answer and "statusCode" in answer]
    return [(function, status) for function, status in statuses if status >= HTTPStatus.BAD_REQUEST]
