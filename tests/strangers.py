"""Strangers who send an API whatever its document allows, and what it does not, and hold the answers against it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

if TYPE_CHECKING:
    from schemathesis import GenerationMode

REQUESTS = 25  # of each operation; chosen by us: all operations take seconds
PROMISES = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
)


def send_many(operation: Any, mode: GenerationMode) -> None:
    """Call one operation again and again, each time differently, and check that each answer is as documented."""

    @settings(
        max_examples=REQUESTS,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        # No route holds a line break, which may come encoded already.
        assume(not any("\n" in unquote(str(value)) for value in case.path_parameters.values()))
        case.call_and_validate(checks=PROMISES)

    with suppress(Unsatisfiable):  # an operation without a parameter cannot be called wrongly
        send()
