"""Says whether the bills of materials on standard input, one a line, are what CycloneDX asks for."""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

validator = JsonStrictValidator(SchemaVersion.V1_6)
answers = [validator.validate_str(line) for line in sys.stdin]
errors = [str(answer) for answer in answers if answer is not None]
print(f"{len(answers) - len(errors)} of {len(answers)} bills are valid")
sys.exit("\n".join(errors) or 0)
