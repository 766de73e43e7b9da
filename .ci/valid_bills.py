"""Says whether the bills of materials on standard input, one a line, are what CycloneDX asks for."""
# ruff: noqa: INP001 - a script, run by a Python of its own

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

validator = JsonStrictValidator(SchemaVersion.V1_6)
answers = [validator.validate_str(line) for line in sys.stdin]
errors = [str(answer) for answer in answers if answer is not None]
print(f"{len(answers) - len(errors)} of {len(answers)} bills are valid")  # noqa: T201 - it is what this is for
sys.exit("\n".join(errors) or 0)
