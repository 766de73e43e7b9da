"""Every error of the system, sorted by who acts next.

CatalogTaggerError
├── ImageRejected          the catalogue's owner: the image is recorded with its reason and acknowledged
│   └── TooLarge           likewise: the object was seen, but not downloaded
├── RetryLater             nobody: the message goes back and is tried again
│   ├── RevisionConflict   nobody: somebody else wrote the record since it was read; it is read and reconciled again
│   └── NotBegun           nobody: the function's time was nearly over; the message is redelivered at once
├── BadMessage             the operator: the message can never be read and ends as a dead letter
├── UnreadableRecord       the operator: the image's item in the table must be repaired or deleted, then redriven
├── CallerError            the caller: a command line, query, manifest or file that must be corrected
│   ├── BadExport          the caller: the folder named holds no export that can be read
│   │   └── NoExport       likewise: nothing was ever exported there
│   ├── BadQuery           the caller: a malformed search query; its code says how
│   └── PageGone           the caller: the snapshot behind the pages of a search is gone; search again
└── DeployerError          the deployer: the process refuses to start
    ├── BadSettings        an environment variable or parameter is missing or out of range
    ├── BadModel           the model or its card is missing, damaged or not what the card says
    ├── BadTaxonomy        the taxonomy file contradicts itself
    ├── Denied             AWS refuses: credentials, region or permission are missing
    └── NoStack            no deployed stack answers where one is needed

Anything else is a bug and is not caught.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.reject_reasons import RejectReason


class CatalogTaggerError(Exception):
    """The root of every error that is expected to happen."""


class ImageRejected(CatalogTaggerError):
    """The image itself is at fault, and will be until its owner replaces it."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        """Reject for ``reason``; ``detail`` says what was found and the limit, in plain words."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class TooLarge(ImageRejected):
    """The object has more bytes than the limit. It was not downloaded, but its ETag is known, so it is recognised."""

    def __init__(self, detail: str, etag: str, modified_at: datetime) -> None:
        """Reject the object of that ETag, written at that time; ``detail`` says its bytes and the limit."""
        super().__init__(RejectReason.BYTES, detail)
        self.args = (detail, etag, modified_at)  # what unpickling, in another process, calls the constructor with
        self.etag = etag
        self.modified_at = modified_at


class RetryLater(CatalogTaggerError):
    """A throttle, a timeout or a failure of the other side; the image is not at fault."""


class RevisionConflict(RetryLater):
    """The record changed between reading and writing it: the observation may be old."""


class NotBegun(RetryLater):
    """There was no time left to begin the image: nothing has failed."""


class BadMessage(CatalogTaggerError):
    """A message in an unknown format."""


class UnreadableRecord(CatalogTaggerError):
    """The image's item in the table cannot be read, so it cannot be replaced without losing what it holds."""


class CallerError(CatalogTaggerError):
    """The caller's mistake, explained in one line."""


class BadQuery(CallerError):
    """A malformed query. Unknown words are not a mistake: searches ignore them."""

    def __init__(self, code: str, message: str) -> None:
        """Refuse the query; ``code`` tells programs what is broken, such as ``open_quote``."""
        super().__init__(message)
        self.code = code


class BadExport(CallerError):
    """The folder or prefix given as an export is not one, or is damaged."""


class NoExport(BadExport):
    """The folder or prefix given as an export does not hold one yet."""


class PageGone(CallerError):
    """The next page of a search is no longer available."""


class DeployerError(CatalogTaggerError):
    """The process cannot run with its configuration."""


class BadSettings(DeployerError):
    """A setting is missing, malformed, or out of range."""


class BadModel(DeployerError):
    """The model, or its card, cannot be used."""


class BadTaxonomy(DeployerError):
    """The taxonomy file cannot be used."""


class Denied(DeployerError):
    """AWS refuses the call, and will until somebody changes credentials or permissions."""


class NoStack(DeployerError):
    """No deployed stack was found."""
