"""Settings: what a deployed function reads from its environment, and where this machine keeps files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BadSettings
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME_VARIABLE = "CATALOG_TAGGER_HOME"
OVERLAY_VARIABLE = "TAXONOMY_OVERLAY"
OVERLAY_NAME = "overlay.csv"
WAIT_S = 900  # chosen by us: after an outage of hours, work resumes within a quarter of an hour
MOST_WAIT_S = 36_000  # Amazon SQS permits twelve hours since the message was received; ten leave room for the batch
TASK_ROOT_VARIABLE = "LAMBDA_TASK_ROOT"  # only AWS Lambda sets it
TASK_ROOT = "/var/task"  # where AWS Lambda unpacks a function
NAMESPACE = "CatalogTagger"  # of the metrics, unless the template sets another


HEADS_FOLDER = "heads"  # below the home folder


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of everything downloaded, built or kept on this machine.

    It is ``CATALOG_TAGGER_HOME`` if that is set; else ``.catalog-tagger`` at the root of a checkout; else in the
    user's home.
    """
    if environment.get(HOME_VARIABLE):
        return Path(environment[HOME_VARIABLE]).expanduser().absolute()
    root = Path(__file__).resolve().parent.parent
    return (root if (root / "pyproject.toml").exists() else Path.home()) / ".catalog-tagger"


def model_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the model and its card: ``MODEL_DIR``, or where ``model build`` puts it."""
    return Path(environment["MODEL_DIR"]) if environment.get("MODEL_DIR") else home(environment) / "model"


def starter_head_dir() -> Path:
    """Return the folder of the built-in head, which both tagging and the comparison of versions need."""
    return Path(__file__).resolve().parents[1] / "tagging_lambda" / "words" / "starter"


def own_head_dirs(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return the folders of the shop's own heads on this machine, by name; with the built-in one, all heads in use."""
    return tuple(sorted(card.parent for card in (home(environment) / HEADS_FOLDER).glob("*/card.json")))


def overlay_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the shop's overlay of the taxonomy, or None.

    It is ``TAXONOMY_OVERLAY`` if that is set (``-`` means none); else ``overlay.csv`` beside the taxonomy, as in a
    package; else ``overlay.csv`` in the home folder. A deployed function reads its package only, never its user's home.
    """
    named = environment.get(OVERLAY_VARIABLE)
    if named:
        return None if named == "-" else Path(named).expanduser()
    packaged = Path(__file__).with_name(OVERLAY_NAME)
    if packaged.is_file():
        return packaged
    if environment.get(TASK_ROOT_VARIABLE):
        return None
    kept = home(environment) / OVERLAY_NAME
    try:
        return kept if kept.is_file() else None
    except PermissionError:  # a home that this user may not read holds no file of this user
        return None


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The addresses of a queue and of its dead-letter queue."""

    url: str
    dead_letter_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], name: str) -> QueueSettings:
        """Return the settings in ``name``_QUEUE_URL and ``name``_DEAD_LETTER_QUEUE_URL.

        Raises:
            BadSettings: one is missing.
        """
        return cls(required(environment, f"{name}_QUEUE_URL"), required(environment, f"{name}_DEAD_LETTER_QUEUE_URL"))


@dataclass(frozen=True, slots=True)
class TaggingSettings:
    """Settings of the tagging function."""

    table_name: str
    model_dir: Path
    product_pattern: ProductPattern
    downloads: int
    queues: tuple[QueueSettings, ...]
    longest_wait_s: int
    model_uri: str | None
    metrics_namespace: str
    heads_uri: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> TaggingSettings:
        """Return the settings in the variables that the template sets; the others have defaults.

        TABLE_NAME, MODEL_DIR, MODEL_URI (to fetch the model from instead), HEADS_URI (to fetch the shop's heads from),
        METRICS_NAMESPACE, PRODUCT_PATTERN, DOWNLOADS (in parallel, 1 to 64), LONGEST_WAIT_S (of a retried message, 1 to
        36,000), and for UPLOADS and BACKFILL: ..._QUEUE_URL and ..._DEAD_LETTER_QUEUE_URL.

        Raises:
            BadSettings: one is missing, malformed, or out of range.
        """
        task_root = environment.get(TASK_ROOT_VARIABLE, TASK_ROOT)
        return cls(
            table_name=required(environment, "TABLE_NAME"),
            model_dir=Path(environment.get("MODEL_DIR") or f"{task_root}/model"),
            product_pattern=ProductPattern.parse(environment.get("PRODUCT_PATTERN") or DEFAULT_PRODUCT_PATTERN),
            downloads=whole_number(environment, "DOWNLOADS", default=10, lowest=1, highest=64),
            queues=tuple(QueueSettings.from_environment(environment, name) for name in ("UPLOADS", "BACKFILL")),
            longest_wait_s=whole_number(environment, "LONGEST_WAIT_S", default=WAIT_S, lowest=1, highest=MOST_WAIT_S),
            model_uri=environment.get("MODEL_URI") or None,
            metrics_namespace=environment.get("METRICS_NAMESPACE") or NAMESPACE,
            heads_uri=environment.get("HEADS_URI") or None,
        )


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Settings of the export function."""

    table_name: str
    bucket: str
    prefix: str
    metrics_namespace: str
    segments: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ExportSettings:
        """Return the settings in TABLE_NAME, EXPORT_BUCKET, EXPORT_PREFIX (default ``export/``), METRICS_NAMESPACE.

        EXPORT_SEGMENTS is how many calls read the table at once (1 to 128, default 1).

        Raises:
            BadSettings: one is missing or out of range.
        """
        return cls(
            table_name=required(environment, "TABLE_NAME"),
            bucket=required(environment, "EXPORT_BUCKET"),
            prefix=environment.get("EXPORT_PREFIX", "export/"),
            metrics_namespace=environment.get("METRICS_NAMESPACE") or NAMESPACE,
            segments=whole_number(environment, "EXPORT_SEGMENTS", default=1, lowest=1, highest=128),
        )


def required(environment: Mapping[str, str], name: str) -> str:
    """Return the variable's text.

    Raises:
        BadSettings: it is not set, or empty.
    """
    value = environment.get(name, "")
    if not value:
        raise BadSettings(f"the environment variable {name} is not set")
    return value


def whole_number(environment: Mapping[str, str], name: str, *, default: int, lowest: int, highest: int) -> int:
    """Return the variable as a number, or the default where it is not set.

    Raises:
        BadSettings: it is no whole number from ``lowest`` to ``highest``.
    """
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise BadSettings(f"{name} is {text!r}; it must be a whole number from {lowest:,} to {highest:,}")
    return int(text)
