"""What feeds the tagging function, asked of AWS Lambda: why it may take nothing from its queues."""

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
        """Return what keeps the function from taking messages; nothing where nothing is seen, or may be asked."""
        try:
            with translated(self.name):
                mappings = self.functions.list_event_source_mappings(FunctionName=self.name)["EventSourceMappings"]
                reserved = self.functions.get_function_concurrency(FunctionName=self.name)
        except CatalogTaggerError as error:
            return [f"the function cannot be asked ({error})"]
        off = [each for each in mappings if each.get("State") not in ENABLED]
        found = [f"the trigger of {_queue(each)} is {str(each.get('State')).lower()}" for each in off]
        if not mappings:
            found.append("the function has no trigger")
        if reserved.get("ReservedConcurrentExecutions") == 0:
            found.append("the function's reserved concurrency is 0")
        return found


def _queue(mapping: dict[str, Any]) -> str:
    return str(mapping.get("EventSourceArn", "a queue")).rsplit(":", 1)[-1]
