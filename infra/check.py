"""`catalog-tagger check`: which photos a marketplace refuses, why, and from when."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import click

from infra.photos import KnownPhoto, known_photos
from pipeline.errors import CallerError
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.keywords import Vocabulary
from pipeline.photo_rules import Finding, RuleSet, with_ancestors
from pipeline.progress import Progress
from pipeline.terminal import printable

CSV_COLUMNS = ("image", "rule", "level", "measured", "limit", "from", "source", "text")


@dataclass(frozen=True, slots=True)
class CheckedPhoto:
    """A photo and the rules that it breaks; ``unjudged`` says why nothing can be said of it."""

    name: str
    findings: tuple[Finding, ...] = ()
    unjudged: str | None = None


@click.command()
@click.argument("place", metavar="FOLDER|EXPORT|s3://BUCKET/PREFIX|MANIFEST")
@click.option("--rules", "rules_name", required=True, metavar="google|amazon|FILE.csv", help="Which rules to hold.")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="Rules that hold on this day.  [default: today]")
@click.option("--csv", "as_csv", is_flag=True, help="One row for each finding, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, and nothing else.")
def check(place: str, rules_name: str, day: datetime | None, *, as_csv: bool, as_json: bool) -> int:
    """Say which photos break a marketplace's rules, why, and from when.

    A folder's photos are read here; of a bucket or a manifest the records are, and no photo is opened again. A rule
    that comes into force later is a finding already, with its date.

    Exits 1 where any photo breaks a rule.
    """
    if as_csv and as_json:
        raise CallerError("--csv and --json cannot both be written; give one of them")
    rules, vocabulary = RuleSet.load(rules_name), Vocabulary.load()
    today = (day or datetime.now(UTC)).date()
    with Progress("check", quiet=as_csv or as_json) as progress:
        photos = progress.over(known_photos(place, vocabulary))
        checked = checked_photos(photos, rules, vocabulary, today)
    if as_csv:
        _write_csv(checked)
    elif as_json:
        click.echo(json.dumps(document_of(checked, rules)))
    else:
        click.echo("\n".join(table_of(checked, rules, today)))
    return ATTENTION if any(photo.findings for photo in checked) else DONE


def checked_photos(
    photos: Iterable[KnownPhoto], rules: RuleSet, vocabulary: Vocabulary, today: date
) -> list[CheckedPhoto]:
    """Return each photo with its findings, in the order given."""
    return [_checked(photo, rules, vocabulary, today) for photo in photos]


def _checked(photo: KnownPhoto, rules: RuleSet, vocabulary: Vocabulary, today: date) -> CheckedPhoto:
    if photo.facts is None:
        return CheckedPhoto(photo.name, unjudged=photo.refused or "its record is older than facts; load it again")
    return CheckedPhoto(photo.name, rules.findings(photo.facts, with_ancestors(photo.keywords, vocabulary), today))


def document_of(checked: Sequence[CheckedPhoto], rules: RuleSet) -> dict[str, Any]:
    """Return the whole as one document."""
    return {
        "rules": rules.name,
        "images": len(checked),
        "with_findings": sum(bool(photo.findings) for photo in checked),
        "findings": [_finding_row(photo.name, finding) for photo in checked for finding in photo.findings],
        "unjudged": [{"image": photo.name, "reason": photo.unjudged} for photo in checked if photo.unjudged],
        "not_judged": [rule.text for rule in rules.not_judged],
    }


def _finding_row(name: str, finding: Finding) -> dict[str, str | None]:
    rule = finding.rule
    return {
        "image": name,
        "rule": rule.id,
        "level": str(rule.level),
        "measured": finding.value,
        "limit": rule.limit,
        "from": rule.since.isoformat() if rule.since else None,
        "source": rule.source,
        "text": rule.text,
    }


def _write_csv(checked: Sequence[CheckedPhoto]) -> None:
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for photo in checked:
        writer.writerows(_finding_row(photo.name, finding) for finding in photo.findings)


def table_of(checked: Sequence[CheckedPhoto], rules: RuleSet, today: date) -> list[str]:
    """Return the lines that a person reads: how many by rule, then which."""
    with_findings = sum(bool(photo.findings) for photo in checked)
    lines = [f"{rules.name}: {with_findings:,} of {len(checked):,} photos break a rule"]
    lines += _counts_by_rule(checked, today)
    if with_findings:
        lines.append("")
    for photo in checked:
        lines += _lines_of(photo, today)
    if rules.not_judged:
        lines += ["", "not judged, since pixels do not tell: " + "; ".join(rule.text for rule in rules.not_judged)]
    return lines


def _counts_by_rule(checked: Sequence[CheckedPhoto], today: date) -> list[str]:
    findings = (finding for photo in checked for finding in photo.findings)
    counts = Counter((finding.rule.id, _when(finding, today), finding.rule.text) for finding in findings)
    return [f"  {count:>7,}  {rule_id:<22} {when:<18} {text}" for (rule_id, when, text), count in counts.most_common()]


def _lines_of(photo: CheckedPhoto, today: date) -> list[str]:
    name = printable(photo.name)
    if photo.unjudged:
        return [f"{name}  not judged: {printable(photo.unjudged)}"]
    return [
        f"{name}  {finding.rule.id}: {finding.value}, limit {finding.rule.limit} ({_when(finding, today)})"
        for finding in photo.findings
    ]


def _when(finding: Finding, today: date) -> str:
    rule = finding.rule
    if rule.since and rule.since > today:
        return f"from {rule.since.isoformat()}"
    return str(rule.level)
