"""`python -m infra NAME`: the commands behind make's targets; each takes `--help`."""

from __future__ import annotations

import sys

import click

from infra.cli import main
from infra.lazy_group import LazyGroup

COMMANDS = {
    "demo": ("infra.demo:demo", "Run the main job on real product photos, on this machine."),
    "package": ("infra.build:package", "Build the functions' packages into build/."),
    "deploy": ("infra.deploy:deploy", "Deploy a stack with the parameters kept for it."),
    "lock": ("infra.lock:lock", "Lock the libraries of each package."),
    "bills": ("infra.sbom:bills", "Print each package's bill of materials."),
    "image-template": (
        "infra.container_images:image_template",
        "Print the template with container images.",
    ),
    "cost": ("infra.cost:cost", "Print the cost page."),
    "taxonomy": ("infra.taxonomy.from_wordnet:taxonomy", "Write the taxonomy from WordNet and our edits."),
    "check-taxonomy": ("infra.taxonomy.validate:check_taxonomy", "Print what is wrong with the taxonomy."),
}


@click.group(cls=LazyGroup, targets=COMMANDS)
def infra() -> None:
    """Build, check and deploy catalog-tagger. `make help` lists the targets that use these commands."""


if __name__ == "__main__":
    sys.exit(main(group=infra, name="python -m infra"))
