"""How answers and records are said: as JSON documents, and as text for a person."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipeline.colours import decided_colours
from pipeline.records import Decision, Record, RecordSummary, RejectedImage, Rejection, TaggedImage
from pipeline.reject_reasons import RejectReason
from pipeline.terminal import GAP, cut, cut_lines, printable, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipeline.keyword_names import KeywordNames
    from results_sink.export.manifest import Manifest
    from results_sink.formats.opensearch import BulkReport
    from results_sink.search.search import SearchAnswer, SearchHit

CLASSES_SHOWN = 5
FACETS_SHOWN = 10


def answer_document(answer: SearchAnswer, names: KeywordNames) -> dict[str, Any]:
    """Return the answer of a search as JSON."""
    return {
        "query": answer.query,
        "ignored": list(answer.ignored),
        "corrections": [{"typed": pair.typed, "read_as": pair.read_as} for pair in answer.corrections],
        "suggestions": list(answer.suggestions),
        "available": [{"keyword": facet.keyword, "count": facet.count} for facet in answer.available],
        "as_of": answer.as_of.isoformat() if answer.as_of else None,
        "total": answer.total,
        "results": [hit_document(hit, names) for hit in answer.results],
        "facets": [{"keyword": facet.keyword, "count": facet.count} for facet in answer.facets],
    }


def hit_document(hit: SearchHit, names: KeywordNames) -> dict[str, Any]:
    """Return one result of a search as JSON."""
    return {
        "image": hit.image,
        "product": hit.product,
        "score": hit.score,
        "keywords": names.documents(hit.keywords),
        "listing": hit.listing.document(),
    }


def answer_text(answer: SearchAnswer, names: KeywordNames, unit: str, width: int | None = None) -> str:
    """Return the answer of a search for a person: the results as a table, the total, the facets.

    Args:
        answer: of the search.
        names: of keywords.
        unit: the noun for a result, *image* or *product*.
        width: of the terminal, in characters; longer lines are cut. None where lines may have any length.
    """
    notes = _notes(answer)
    if not answer.total:
        lines = [f"Nothing was found for {printable(answer.query)}.", *notes, *_alternatives(answer)]
        return cut_lines(lines, width)
    heads = ("score", "keywords", "product", "image")
    half = width and width // 2  # the other half is the product's and the image's
    rows = [
        (f"{hit.score:.2f}", cut(names.line(hit.keywords), half), printable(hit.product), printable(hit.image))
        for hit in answer.results
    ]
    shown = f"{len(answer.results):,} of {answer.total:,}" if len(rows) < answer.total else f"{answer.total:,}"
    facets = ", ".join(f"{facet.keyword} {facet.count:,}" for facet in answer.facets[:FACETS_SHOWN])
    plural = unit if answer.total == 1 else f"{unit}s"
    lines = table(heads, rows).splitlines() if rows else []
    lines += ["", f"{shown} {plural}", *notes, *([f"among them: {facets}"] if facets else [])]
    return cut_lines(lines, width).lstrip("\n")


def _notes(answer: SearchAnswer) -> list[str]:
    """Return a line for what was left out of the query, and one for what was read as another word."""
    ignored = ", ".join(printable(word) for word in answer.ignored)
    read_as = ", ".join(f"{printable(pair.typed)} as {pair.read_as}" for pair in answer.corrections)
    return [*([f"left out: {ignored}"] if ignored else []), *([f"read {read_as}"] if read_as else [])]


def _alternatives(answer: SearchAnswer) -> list[str]:
    """Return what a person may search for instead, where nothing was found."""
    near = " or ".join(answer.suggestions)
    most = ", ".join(f"{facet.keyword} {facet.count:,}" for facet in answer.available)
    return [*([f"did you mean {near}?"] if near else []), *([f"the catalogue has: {most}"] if most else [])]


def record_document(
    record: Record, names: KeywordNames, classes: Mapping[int, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return what is known of an image as JSON."""
    observation = record.observation
    document: dict[str, Any] = {
        "image": str(observation.image),
        "product": observation.product,
        "listing": observation.listing.document(),
        "status": str(RecordSummary.of(record).kind),
        "reason": str(record.reason) if isinstance(record, RejectedImage) else None,
        "detail": record.detail if isinstance(record, RejectedImage) else None,
        "keywords": [],
        "colours": [],
        "model_keywords": [],
        "classes": [],
        "low_information": False,
        "decisions": [
            {
                "keyword": names.name(decision.keyword_id),
                "id": decision.keyword_id,
                "decision": str(decision.kind),
                "decided_at": decision.decided_at.isoformat(),
                "by": decision.by,
            }
            for decision in record.decisions
        ],
    }
    if isinstance(record, TaggedImage):
        document |= {
            "keywords": names.documents(record.keywords),
            "colours": names.colour_documents(decided_colours(record.facts, record.decisions)),
            "model_keywords": names.documents(record.model_keywords),
            "classes": [
                score.document(classes.get(score.class_index)) for score in record.class_scores[:CLASSES_SHOWN]
            ],
            "low_information": record.low_information,
            "width_pixels": record.width_pixels,
            "height_pixels": record.height_pixels,
        }
    return document | {
        "model_version": observation.model_version,
        "taxonomy_version": observation.taxonomy_version,
        "run_id": observation.run_id,
        "observed_at": observation.observed_at.isoformat(),
        "object_time": observation.object_time.isoformat() if observation.object_time else None,
        "etag": observation.etag,
        "revision": record.revision,
        "previous": _previous_document(record, names),
    }


def _previous_document(record: Record, names: KeywordNames) -> dict[str, Any] | None:
    previous = record.previous if isinstance(record, TaggedImage | RejectedImage) else None
    if previous is None:
        return None
    return {
        "run_id": previous.run_id,
        "observed_at": previous.observed_at.isoformat(),
        "model_version": previous.model_version,
        "taxonomy_version": previous.taxonomy_version,
        "keywords": names.documents(previous.keywords),
    }


def record_text(record: Record, names: KeywordNames, classes: Mapping[int, str] = MappingProxyType({})) -> str:
    """Return what is known of an image for a person; a class without a name in ``classes`` is shown by its index."""
    observation = record.observation
    lines = [
        ("status", _status_line(record)),
        ("product", printable(observation.product)),
        *_tagged_lines(record, classes),
        ("model", f"{observation.model_version}, taxonomy {observation.taxonomy_version}"),
        (
            "looked at",
            f"{moment(observation.observed_at)}, run {printable(observation.run_id)}, revision {record.revision}",
        ),
    ]
    previous = record.previous if isinstance(record, TaggedImage | RejectedImage) else None
    if previous is not None:
        keywords = names.line(previous.keywords) or "no keyword"
        lines.append(("before", f"{moment(previous.observed_at)}, run {printable(previous.run_id)}: {keywords}"))
    lines += [("decided", _decision_line(decision, names)) for decision in record.decisions]
    if observation.object_time:
        lines.append(("uploaded", moment(observation.object_time)))
    width = max(len(name) for name, _ in lines)
    text = "\n".join(f"{GAP}{name:<{width}}{GAP}{value}" for name, value in lines)
    return "\n".join([printable(str(observation.image)), text, *_keyword_table(record, names)])


def rejections_document(reason: RejectReason, rejections: Sequence[Rejection], limit: int) -> dict[str, Any]:
    """Return the first of the images that were rejected for a reason as JSON, and whether there are more."""
    images = [
        {"image": str(rejection.image), "product": rejection.product, "detail": rejection.detail}
        for rejection in rejections[:limit]
    ]
    return {"reason": str(reason), "images": images, "more": len(rejections) > limit}


def rejections_text(reason: RejectReason, rejections: Sequence[Rejection], limit: int) -> str:
    """Return the first of the images that were rejected for a reason for a person, and whether there are more."""
    hint = " `--gone` lists the images that are not there." if reason is RejectReason.MISSING else ""
    rows = [(str(rejection.image), rejection.detail) for rejection in rejections]
    return _first_rows(("image", "detail"), rows, limit) or f"No image is rejected for {reason}.{hint}"


def gone_document(tombstones: Sequence[RecordSummary], limit: int) -> dict[str, Any]:
    """Return the first of the images that are gone as JSON, and whether there are more."""
    images = [
        {"image": str(summary.image), "observed_at": summary.observed_at.isoformat()} for summary in tombstones[:limit]
    ]
    return {"images": images, "more": len(tombstones) > limit}


def gone_text(tombstones: Sequence[RecordSummary], limit: int) -> str:
    """Return the first of the images that are gone for a person, and whether there are more."""
    rows = [(str(summary.image), moment(summary.observed_at)) for summary in tombstones]
    return _first_rows(("image", "looked for"), rows, limit) or "No image is gone."


def _first_rows(heads: Sequence[str], rows: Sequence[Sequence[str]], limit: int) -> str:
    """Return the first rows as a table, and whether there are more; an empty text if there are none."""
    if not rows:
        return ""
    total = f"the first {limit:,}; there are more: --limit shows them" if len(rows) > limit else f"{len(rows):,} in all"
    return f"{table(heads, [[printable(cell) for cell in row] for row in rows[:limit]])}\n\n{total}"


def manifest_document(manifest: Manifest, target: str) -> dict[str, Any]:
    """Return what an export wrote as JSON."""
    files = manifest.files
    return {
        "snapshot": manifest.snapshot,
        "place": target,
        "rows": manifest.counts.rows,
        "tagged": manifest.counts.tagged,
        "rejected": dict(manifest.counts.rejected),
        "gone": manifest.counts.gone,
        "undone": manifest.counts.undone,
        "unreadable": manifest.counts.unreadable,
        "postings": sum(part.rows for part in manifest.postings),
        "files": len(files),
        "bytes": sum(part.bytes for part in files),
    }


def manifest_text(manifest: Manifest, target: str) -> str:
    """Return what an export wrote for a person."""
    counts, files = manifest.counts, manifest.files
    rejected = ", ".join(f"{count:,} {reason}" for reason, count in counts.rejected.items())
    lines = [
        ("snapshot", manifest.snapshot),
        ("place", target),
        ("tagged", f"{counts.tagged:,}"),
        ("rejected", f"{counts.rows - counts.tagged:,}" + (f" ({rejected})" if rejected else "")),
        *([("unreadable", f"{counts.unreadable:,}")] if counts.unreadable else []),
        ("postings", f"{sum(part.rows for part in manifest.postings):,}"),
        ("files", f"{len(files):,} of {sum(part.bytes for part in files):,} bytes"),
    ]
    return "\n".join(f"{name:<8}{GAP}{value}" for name, value in lines)


def bulk_document(report: BulkReport, target: str) -> dict[str, Any]:
    """Return what was written for other engines as JSON."""
    return {"place": target, "files": list(report.files), "indexed": report.indexed, "deleted": report.deleted}


def bulk_text(report: BulkReport, target: str) -> str:
    """Return what was written for other engines for a person."""
    lines = [f"{target}/{name}" for name in report.files]
    return "\n".join([*lines, f"{report.indexed:,} images to be indexed, {report.deleted:,} to be deleted"])


def moment(instant: datetime) -> str:
    """Return a time for a person, to the second."""
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def _status_line(record: Record) -> str:
    if isinstance(record, RejectedImage):
        return f"rejected ({record.reason}): {printable(record.detail)}"
    return str(RecordSummary.of(record).kind)


def _decision_line(decision: Decision, names: KeywordNames) -> str:
    by = f" by {printable(decision.by)}" if decision.by else ""
    return f"{decision.kind} {names.name(decision.keyword_id)}, {moment(decision.decided_at)}{by}"


def _tagged_lines(record: Record, names: Mapping[int, str]) -> list[tuple[str, str]]:
    if not isinstance(record, TaggedImage):
        return []
    classes = ", ".join(
        f"{names.get(score.class_index, score.class_index)} {score.score:.2f}"
        for score in record.class_scores[:CLASSES_SHOWN]
    )
    size = f"{record.width_pixels:,} x {record.height_pixels:,} pixels"
    shares = decided_colours(record.facts, record.decisions)
    colours = ", ".join(f"{share.colour} {share.share:.2f}" for share in shares)
    return [
        ("picture", size + (", low information" if record.low_information else "")),
        *([("colours", colours)] if colours else []),
        ("classes", classes or "none"),
    ]


def _keyword_table(record: Record, names: KeywordNames) -> list[str]:
    if not isinstance(record, TaggedImage):
        return []
    if not record.keywords:
        return ["", f"{GAP}no keyword was sure enough"]
    rows = [(names.name(k.keyword_id), f"{k.score:.2f}", str(k.source), k.keyword_id) for k in record.keywords]
    lines = table(("keyword", "score", "source", "id"), rows).splitlines()
    return ["", *(GAP + line for line in lines)]
