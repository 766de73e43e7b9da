"""Measures colours, photo rules and duplicates on labelled and on made photos: `python -m tests.quality.signals`.

Nothing that ships is trained on these photos. Rules and limits of colours were chosen while looking at every other
packshot, and the figures printed are of the others. `packshot_wrong_names.csv` names those of the others whose photo
shows another colour than the shop says; they were judged beside the shop's name alone, before ours was known.
"""

from __future__ import annotations

import csv
import io
import os
import random
import sys
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from infra.duplicates import comparable_photos, same_by_pixels
from infra.photos import KnownPhoto
from pipeline.colours import colours_of
from pipeline.photo_rules import RuleSet
from pipeline.settings import model_dir
from results_sink.search.duplicates import alike_pairs
from tagging_lambda.classify import Classifier
from tagging_lambda.image.picture import model_input
from tagging_lambda.image.preprocess import read_picture
from tagging_lambda.image.small_photo import print_reader

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("CATALOG_TAGGER_PHOTOS", HERE.parents[1].parent / "shared" / "data"))
SEED = 20261127


def packshots() -> list[tuple[Path, str]]:
    """Return every packshot with its shop's colour."""
    with (DATA / "packshots" / "labels.csv").open() as file:
        return [(DATA / "packshots" / row["file"], row["colour"]) for row in csv.DictReader(file)]


def clothing() -> list[Path]:
    """Return photos that people took at home."""
    with (DATA / "clothing" / "labels.csv").open() as file:
        return [DATA / "clothing" / row["file"] for row in csv.DictReader(file)]


def measure_colours(classifier: Classifier) -> None:
    """Print coverage, and how often the first colour is the shop's, of the packshots kept aside."""
    with (HERE / "packshot_colours.csv").open() as file:
        judged = {
            row["shop"]: (row["colour"], {row["colour"], *row["also"].split("|")}) for row in csv.DictReader(file)
        }
    with (HERE / "packshot_wrong_names.csv").open() as file:
        wrong = {row["file"] for row in csv.DictReader(file)}
    aside = packshots()[1::2]
    covered = strict = apart = right = near = multicoloured = 0
    for path, shop in aside:
        colours = colours_of(read_picture(path.read_bytes(), classifier.card.input).facts)
        if colours and colours[0].colour == "multicoloured":
            multicoloured += 1
        elif colours:
            covered += 1
            strict += colours[0].colour == judged[shop][0]
            if f"{path.parent.name}/{path.name}" in wrong:
                apart += 1
                continue
            right += colours[0].colour == judged[shop][0]
            near += colours[0].colour in judged[shop][1]
    click.echo(f"colours: {len(aside)} packshots, coverage {covered / len(aside):.2f}")
    click.echo(f"  first colour is the shop's: {strict / covered:.3f}; multicoloured: {multicoloured}")
    click.echo(f"  without {apart} photos whose name is wrong: {right / (covered - apart):.3f}")
    click.echo(f"  or a neighbour by the judging list: {near / (covered - apart):.3f}")


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """Return the picture as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def variants(image: Image.Image) -> dict[str, bytes]:
    """Return what shops do to one photo."""
    width, height = image.size
    across, down, pad, side = width // 20, height // 20, max(width, height) // 10, max(width, height) + 20
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    return {
        "recompressed": jpeg(image, 60),
        "half size": jpeg(image.resize((width // 2, height // 2), Image.Resampling.LANCZOS)),
        "cut 10 %, middle": jpeg(image.crop((across, down, width - across, height - down))),
        "cut 10 %, corner": jpeg(image.crop((0, 0, width * 9 // 10, height * 9 // 10))),
        "mirrored": jpeg(ImageOps.mirror(image)),
        "padded": jpeg(ImageOps.expand(image, pad, "white")),
        "squared": jpeg(square),
    }


def known(classifier: Classifier, name: str, data: bytes) -> KnownPhoto:
    """Return what one pass knows of a photo."""
    picture = read_picture(data, classifier.card.input)
    answer = classifier.classify(model_input(picture, classifier.card.input)[None])[0]
    return KnownPhoto(name, (), picture.facts, answer.vector)


def measure_duplicates(classifier: Classifier, count: int) -> None:
    """Print recall by what was done to a photo, and how many different photos pass for the same."""
    rng = random.Random(SEED)
    shop = [path for path, _ in packshots()]
    sample = rng.sample(shop, count) + rng.sample(clothing(), count)
    files = {str(path): path.read_bytes() for path in [*shop, *sample]}
    for path in sample:
        with Image.open(path) as image:
            files |= {f"{path}|{kind}": data for kind, data in variants(image.convert("RGB")).items()}
    photos = comparable_photos(known(classifier, name, data) for name, data in files.items())
    candidates = [(photos.names[left], photos.names[right]) for left, right in alike_pairs(photos.vectors)]
    with print_reader() as print_of:
        are_same = same_by_pixels(lambda name: print_of(files[name]))
        pairs = {frozenset(pair) for pair in candidates if is_of_interest(*pair) and are_same(*pair)}
    kinds = list(dict.fromkeys(name.partition("|")[2] for name in files if "|" in name))
    maybe = {frozenset(pair) for pair in candidates}
    for kind in kinds:
        made = [frozenset((str(path), f"{path}|{kind}")) for path in sample]
        found, near = sum(pair in pairs for pair in made), sum(pair in maybe for pair in made)
        click.echo(f"  {kind:<18} recall {found / len(made):.3f}; by vectors alone {near / len(made):.3f}")
    originals = [name for name in files if "|" not in name]
    wrong = sorted(tuple(sorted(pair)) for pair in pairs if all("|" not in name for name in pair))
    total = len(originals) * (len(originals) - 1) // 2
    tried = sum(all("|" not in name for name in pair) for pair in candidates)
    click.echo(
        f"  different photos that pass for the same: {len(wrong)} of {total:,} pairs, {tried:,} of them compared"
    )
    for left, right in wrong:
        click.echo(f"    {Path(left).name} {Path(right).name}")


def is_of_interest(one: str, other: str) -> bool:
    """Return whether both are originals, or one was made of the other."""
    return ("|" not in one and "|" not in other) or one.partition("|")[0] == other.partition("|")[0]


def measure_heuristics(classifier: Classifier) -> None:
    """Print the precision of blur and background on photos for which the answer is known."""
    rng = random.Random(SEED)
    amazon = RuleSet.load("amazon")
    shop, home = rng.sample([path for path, _ in packshots()], 200), rng.sample(clothing(), 200)
    counts = {"blurred": [0, 0, 0], "background_not_white": [0, 0, 0]}  # right, wrong, missed
    for path in [*shop, *home]:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        blurred = image.filter(ImageFilter.GaussianBlur(min(image.size) / 60))
        for data, is_blurred in ((path.read_bytes(), False), (jpeg(blurred), True)):
            found = broken(amazon, data, classifier)
            score(counts["blurred"], "blurred" in found, is_blurred)
            if not is_blurred:
                score(counts["background_not_white"], "background_not_white" in found, path in home)
    for rule, (right, wrong, missed) in counts.items():
        click.echo(
            f"rule {rule}: precision {right / max(right + wrong, 1):.3f}, recall {right / max(right + missed, 1):.3f}"
        )


def broken(rules: RuleSet, data: bytes, classifier: Classifier) -> set[str]:
    """Return the ids of the rules that a photo breaks."""
    facts = read_picture(data, classifier.card.input).facts
    return {finding.rule.id for finding in rules.findings(facts, (), np.datetime64("2026-11-27").item())}


def score(counts: list[int], is_found: bool, is_right: bool) -> None:
    """Count a finding as right or wrong, or what was not found as missed."""
    if is_found:
        counts[0 if is_right else 1] += 1
    elif is_right:
        counts[2] += 1


def main() -> None:
    """Print everything; the one argument, if given, is how many photos of each kind are made into duplicates."""
    classifier = Classifier.load(model_dir() / "card.json")
    measure_colours(classifier)
    measure_heuristics(classifier)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    click.echo(f"duplicates: {2 * count} photos made into 7 others each, among 993 packshots")
    measure_duplicates(classifier, count)


if __name__ == "__main__":
    main()
