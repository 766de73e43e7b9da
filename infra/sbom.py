"""The bill of materials of a package, in CycloneDX's JSON: its libraries and model, by version, hash and licence."""

from __future__ import annotations

import json
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from infra.lock import Locked, read_lock
from infra.package import PACKAGES, Package
from pipeline.model_version import CARD_NAME
from tagging_lambda.model_card import ModelCard

SPEC_VERSION = "1.6"
NAMESPACE = uuid.UUID("8e0f6f0a-5a0c-5b0e-9d4a-5f3d6f5f2a55")  # chosen by us: serial numbers are derived from it


# Written as data, and validated by CycloneDX's library in `make check` (DECISIONS.md, 124).
def bill_of_materials(package: Package, model_dir: Path | None) -> str:
    """Return the bill as JSON; the same package always has the same bill."""
    components = [_library(library) for library in read_lock(package.lock)]
    if package.holds_model and model_dir:
        components.append(_model(ModelCard.load(model_dir / CARD_NAME)))
    metadata = {
        "component": {
            "type": "application",
            "bom-ref": package.function,
            "name": f"catalog-tagger {package.function}",
            "version": version("catalog-tagger"),
            "licenses": [{"license": {"name": "MIT"}}],
        },
    }
    content = json.dumps([metadata, components], sort_keys=True)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}",
        "version": 1,
        "metadata": metadata,
        "components": components,
    }
    return json.dumps(document, indent=1) + "\n"


def _library(library: Locked) -> dict[str, Any]:
    purl = f"pkg:pypi/{library.name}@{library.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": library.name,
        "version": library.version,
        "purl": purl,
        "licenses": [{"license": {"name": library.licence}}],
        # One file for each processor: hashes of different files belong to different references.
        "externalReferences": [
            {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": sha256}]}
            for sha256 in library.sha256
        ],
    }


def _model(card: ModelCard) -> dict[str, Any]:
    file = card.file(card.served)
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model-{card.version}",
        "name": card.name,
        "version": card.version,
        "description": f"{file.name}, made from {card.source.package}",
        "licenses": [{"license": {"name": card.source.licence}}],
        "hashes": [{"alg": "SHA-256", "content": file.sha256}],
    }


@click.command()
def bills() -> None:
    """Print the bill of each package without a model, one JSON document per line."""
    for package in PACKAGES:
        click.echo(json.dumps(json.loads(bill_of_materials(package, None))))
