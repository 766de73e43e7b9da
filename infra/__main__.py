"""`python -m infra NAME`: what make's targets run beside the one command; each takes `--help`."""

from __future__ import annotations

import sys

import click

from infra.cli import LazyGroup, main

COMMANDS = {
    "demo": "infra.demo:demo",
    "open": "infra.open:open_page",
    "package": "infra.build:package",
    "deploy": "infra.deploy:deploy",
    "lock": "infra.lock:lock",
    "bills": "infra.sbom:bills",
    "image-template": "infra.image:image_template",
    "cost": "infra.cost:cost",
    "taxonomy": "infra.taxonomy.from_wordnet:taxonomy",
    "check-taxonomy": "infra.taxonomy.validate:check_taxonomy",
}


@click.group(cls=LazyGroup, places=COMMANDS)
def infra() -> None:
    """Build, check and deploy catalog-tagger. `make help` lists the targets that use these commands."""


if __name__ == "__main__":
    sys.exit(main(group=infra, name="python -m infra"))
