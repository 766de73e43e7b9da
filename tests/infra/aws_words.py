"""The aws command line, as far as the runbook speaks it: each word is checked against what AWS says of the call."""

from __future__ import annotations

import json
from typing import Any

from pipeline.aws.clients import client

SERVICES = {"s3api": "s3"}
GLOBAL = {"cli-read-timeout"}  # options of the command line itself


def aws(words: list[str], endpoint_url: str) -> Any:
    """Return what AWS answers to ``aws SERVICE OPERATION --option value ...``."""
    service, operation, *rest = words
    if service == "s3":
        return _high_level(operation, rest, endpoint_url)
    connection = client(SERVICES.get(service, service), endpoint_url)
    if operation == "wait":
        return connection.get_waiter(rest[0].replace("-", "_")).wait(**_plain(rest[1:]))
    method = operation.replace("-", "_")
    asked = _asked(connection, connection.meta.method_to_api_mapping[method], rest)
    return getattr(connection, method)(**asked)


def _high_level(operation: str, rest: list[str], endpoint_url: str) -> None:
    assert operation == "rm"
    place, option = rest
    assert option == "--recursive"
    s3, bucket = client("s3", endpoint_url), place.removeprefix("s3://")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=found["Key"])


def _options(rest: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for word in rest:
        if word.startswith("--"):
            options[word[2:]] = []
        elif options:
            options[list(options)[-1]].append(word)
    return {name: values for name, values in options.items() if name not in GLOBAL}


def _plain(rest: list[str]) -> dict[str, str]:
    return {
        "".join(word.capitalize() for word in name.split("-")): values[0] for name, values in _options(rest).items()
    }


def _asked(connection: Any, operation: str, rest: list[str]) -> dict[str, Any]:
    members = connection.meta.service_model.operation_model(operation).input_shape.members
    by_option = {name.lower(): name for name in members}
    asked = {}
    for option, values in _options(rest).items():
        name = by_option.get(option.replace("-", "")) or by_option[option.removeprefix("no-").replace("-", "")]
        asked[name] = not option.startswith("no-") if not values else _value(members[name], values)
    return asked


def _value(shape: Any, values: list[str]) -> Any:
    if shape.type_name == "list":
        return values
    if shape.type_name in {"structure", "map"}:
        return json.loads(values[0]) if values[0].startswith("{") else _shorthand(shape, values[0])
    if shape.type_name in {"integer", "long"}:
        return int(values[0])
    return values[0]


def _shorthand(shape: Any, text: str) -> dict[str, Any]:
    pairs = [part.partition("=")[::2] for part in text.split(",")]
    return {name: _value(shape.members[name], [value]) for name, value in pairs}
