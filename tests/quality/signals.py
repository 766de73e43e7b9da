"""Measures colours, photo rules and duplicates on labelled and on made photos: `python -m tests.quality.signals DATA`.

Nothing that ships is trained on these photos. Rules and limits of colours were chosen while looking at every other
packshot, and the figures printed are of the others. `packshot_wrong_names.csv` names those of the others whose photo
shows another colour than the shop says; they were judged beside the shop's name alone, before ours was known.
`clothing_colours.csv` says which colour photos of clothes at home show, and which others pass; they were judged before
any of our names was known, exposure was chosen on the first and every other one after it, and the rest are measured.
"""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from infra.duplicates import comparable_photos, same_by_pixels
from infra.photos import KnownPhoto
from pipeline.colours import COLOURS, LEAST_CERTAINTY, colours_of, least_first_share
from pipeline.photo_rules import RuleSet
from pipeline.settings import model_dir
from results_sink.search.duplicates import alike_pairs
from tagging_lambda.classify import Classifier
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import model_input
from tagging_lambda.image.small_photo import print_reader
from tests.quality.plots import draw_colours

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
SEED = 20261127


@dataclass(frozen=True, slots=True)
class JudgedColour:
    """What is said of a packshot's first colour.

    Attributes:
        margin: of its share over the least with which it is named; -1 where no share would be enough.
        is_right: it is the shop's name.
        is_near: it is that name or a neighbour of it, by the judging list.
        is_apart: the photo shows another colour than the shop says.
    """

    margin: float
    is_right: bool
    is_near: bool
    is_apart: bool


def packshots(data: Path) -> list[tuple[Path, str]]:
    """Return every packshot with its shop's colour."""
    with (data / "packshots" / "labels.csv").open() as file:
        return [(data / "packshots" / row["file"], row["colour"]) for row in csv.DictReader(file)]


def clothing(data: Path) -> list[Path]:
    """Return photos that people took at home."""
    with (data / "clothing" / "labels.csv").open() as file:
        return [data / "clothing" / row["file"] for row in csv.DictReader(file)]


def judged_colours(data: Path, classifier: Classifier) -> list[JudgedColour]:
    """Return the judged first colour of each packshot that was kept aside."""
    with (HERE / "packshot_colours.csv").open() as file:
        names = {row["shop"]: (row["colour"], {row["colour"], *row["also"].split("|")}) for row in csv.DictReader(file)}
    with (HERE / "packshot_wrong_names.csv").open() as file:
        wrong = {row["file"] for row in csv.DictReader(file)}
    judged = []
    for path, shop in packshots(data)[1::2]:
        facts = read_picture(path.read_bytes(), classifier.card.input).facts
        share, colour = max(zip(facts.colour_shares, COLOURS, strict=True))
        margin = share - least_first_share(colour) if facts.colour_certainty >= LEAST_CERTAINTY else -1.0
        right, near = names[shop]
        judged.append(JudgedColour(margin, colour == right, colour in near, f"photos/{path.name}" in wrong))
    return judged


def measure_colours(data: Path, classifier: Classifier) -> None:
    """Print coverage, and how often the first colour is the shop's, of the packshots kept aside; draw both."""
    judged = judged_colours(data, classifier)
    named = [colour for colour in judged if colour.margin >= 0]
    kept = [colour for colour in named if not colour.is_apart]
    click.echo(f"colours: {len(judged)} packshots, coverage {len(named) / len(judged):.3f}")
    click.echo(f"  first colour is the shop's: {np.mean([colour.is_right for colour in named]):.3f}")
    click.echo(f"  without {len(named) - len(kept)} photos whose name is wrong: ", nl=False)
    click.echo(f"{np.mean([colour.is_right for colour in kept]):.3f}, ", nl=False)
    click.echo(f"or a neighbour by the judging list {np.mean([colour.is_near for colour in kept]):.3f}")
    draw_colours(DOCS / "colours.svg", judged)


def measure_colours_at_home(data: Path, classifier: Classifier) -> None:
    """Print coverage, and how often the first colour is the judge's, of photos from home that were kept aside."""
    with (HERE / "clothing_colours.csv").open() as file:
        rows = list(csv.DictReader(file))[1::2]
    right, near = [], []
    for row in rows:
        facts = read_picture((data / "clothing" / row["file"]).read_bytes(), classifier.card.input).facts
        if not (colours := colours_of(facts)):
            continue
        right.append(colours[0].colour == row["colour"])
        near.append(colours[0].colour in {row["colour"], *row["also"].split("|")})
    click.echo(f"colours: {len(rows)} photos from home, coverage {len(right) / len(rows):.3f}")
    click.echo(f"  first colour is the judge's {np.mean(right):.3f}, or passes with the judge {np.mean(near):.3f}")


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
    answer = classifier.classify(model_input([picture], classifier.card.input))[0]
    return KnownPhoto(name, (), picture.facts, answer.vector)


def measure_duplicates(data: Path, classifier: Classifier, count: int) -> None:
    """Print recall by what was done to a photo, and how many different photos pass for the same."""
    rng = random.Random(SEED)
    shop = [path for path, _ in packshots(data)]
    sample = rng.sample(shop, count) + rng.sample(clothing(data), count)
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


def measure_heuristics(data: Path, classifier: Classifier) -> None:
    """Print the precision of blur and background on photos for which the answer is known."""
    rng = random.Random(SEED)
    amazon = RuleSet.load("amazon")
    shop, home = rng.sample([path for path, _ in packshots(data)], 200), rng.sample(clothing(data), 200)
    counts = {"blurred": [0, 0, 0], "background_not_white": [0, 0, 0]}  # right, wrong, missed
    for path in [*shop, *home]:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        blurred = image.filter(ImageFilter.GaussianBlur(min(image.size) / 60))
        for photo, is_blurred in ((path.read_bytes(), False), (jpeg(blurred), True)):
            found = broken(amazon, photo, classifier)
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


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--copied", default=100, show_default=True, help="How many photos of each kind are made into duplicates.")
def main(data: Path, copied: int) -> None:
    """Print all of it for the photos in DATA."""
    classifier = Classifier.load(model_dir() / "card.json")
    measure_colours(data, classifier)
    measure_colours_at_home(data, classifier)
    measure_heuristics(data, classifier)
    click.echo(f"duplicates: {2 * copied} photos made into 7 others each, among 993 packshots")
    measure_duplicates(data, classifier, copied)


if __name__ == "__main__":
    main()
