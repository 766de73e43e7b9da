"""Prints the template as JSON with its loops written out, for a linter that does not know loops."""

import json
from pathlib import Path

from ministack.services.cloudformation.language_extensions import apply
from samtranslator.yaml_helper import yaml_parse

print(json.dumps(apply(yaml_parse(Path("infra/template.yaml").read_text(encoding="utf-8")), {}), indent=1))
