"""The model card as `catalog-tagger model` prints it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tagging_lambda.model_card import InputContract, MeasuredAccuracy, ModelCard, ModelFile


def print_card(card: ModelCard, folder: Path, *, as_json: bool) -> None:
    """Print the card and its model's folder: a few lines of text, or one JSON document."""
    if as_json:
        whole = {"folder": str(folder), "version": card.version, **asdict(card)}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(card, folder)))


def _lines(card: ModelCard, folder: Path) -> list[str]:
    rows = [
        ("model", f"{card.name} {card.version}, {len(card.classes):,} classes"),
        ("folder", str(folder)),
        *(("file", _file(card, file)) for file in card.files),
        ("input", _input(card.input)),
        *(("accuracy", _accuracy(accuracy)) for accuracy in card.accuracy),
        ("source", card.source.package),
        ("licence", card.source.licence),
    ]
    if not card.accuracy:
        rows.append(("accuracy", "not measured; `catalog-tagger model build --evaluate LABELS.csv` measures it"))
    return [f"{title:<9} {value}" for title, value in rows]


def _file(card: ModelCard, file: ModelFile) -> str:
    served = ", served" if file.precision == card.served else ""
    return f"{file.name}, {file.precision}, {file.size_bytes:,} bytes{served}"


def _input(contract: InputContract) -> str:
    fit = {
        "crop": f"the middle, after the shorter side is shrunk to {contract.shorter_side_pixels}",
        "subject": f"the middle of what stands out from an even border, else of the picture, "
        f"after its shorter side is shrunk to {contract.shorter_side_pixels}",
        "squash": "the whole, its proportions changed",
        "pad": "the whole, white around it",
    }
    size = f"{contract.width_pixels} x {contract.height_pixels} pixels"
    return f"{size}, {contract.colour_order}, {contract.layout}; {fit[contract.fit]}"


def _accuracy(measured: MeasuredAccuracy) -> str:
    shares = f"top-1 {measured.top1:.3f}, top-5 {measured.top5:.3f}"
    return f"{measured.precision}: {shares} on {measured.images:,} photos ({measured.photos})"
