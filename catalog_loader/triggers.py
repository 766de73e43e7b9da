"""The triggers of the tagging function: why it may take nothing from its queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.aws.errors import translated
from pipeline.errors import CatalogTaggerError

ENABLED = frozenset({"Enabled", "Enabling", "Updating", "Creating"})  # states in which messages are taken, or soon are


@dataclass(frozen=True)
class Triggers:
    """The event source mappings of a function, and its reserved concurrency."""

    functions: Any
    name: str

    def causes(self) -> list[str]:
        """Return what keeps the function from taking messages; nothing if nothing is seen."""
        try:
            with translated(self.name):
                mappings = self.functions.list_event_source_mappings(FunctionName=self.name)["EventSourceMappings"]
                reserved = self.functions.get_function_concurrency(FunctionName=self.name)
        except CatalogTaggerError as error:
            return [f"the function cannot be asked ({error})"]
        disabled = [mapping for mapping in mappings if mapping.get("State") not in ENABLED]
        reasons = [f"the trigger of {_queue(mapping)} is {str(mapping.get('State')).lower()}" for mapping in disabled]
        if not mappings:
            reasons.append("the function has no trigger")
        if reserved.get("ReservedConcurrentExecutions") == 0:
            reasons.append("the function's reserved concurrency is 0")
        return reasons


def _queue(mapping: dict[str, Any]) -> str:
    return str(mapping.get("EventSourceArn", "a queue")).rsplit(":", 1)[-1]
