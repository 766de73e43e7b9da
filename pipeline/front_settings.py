"""Settings of the functions that answer people, and of the page itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import BadSettings
from pipeline.settings import required

MODELS_FOLDER = "models"  # of further models, one folder each; beside the code, or in the command's home folder


def names_in(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the comma-separated names in the variable, or none if it is not set."""
    return tuple(part.strip() for part in environment.get(name, "").split(",") if part.strip())


# Told by a parameter, so that the page's function needs no right to ask S3 (DECISIONS.md, 102).
def bucket_regions(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the region of each bucket in BUCKET_REGIONS, ``bucket=region`` parted by commas, that has another.

    Those of the embedded AWS are all in one place.
    """
    if on_embedded_aws(environment):
        return {}
    pairs = (part.partition("=") for part in names_in(environment, "BUCKET_REGIONS"))
    return {bucket: region for bucket, _, region in pairs if bucket and region}


def yes_or_no(environment: Mapping[str, str], name: str) -> bool:
    """Return whether the variable is ``true``; unset means false.

    Raises:
        BadSettings: it is neither ``true`` nor ``false``.
    """
    text = environment.get(name) or "false"
    if text not in {"true", "false"}:
        raise BadSettings(f"{name} is {text!r}; it must be true or false")
    return text == "true"


def on_embedded_aws(environment: Mapping[str, str]) -> bool:
    """Return whether the function runs on the embedded AWS, which gives its one address to every function."""
    return bool(environment.get("AWS_ENDPOINT_URL"))


@dataclass(frozen=True, slots=True)
class ApiPlace:
    """An API of API Gateway: its id, its stage, and the parts of its address.

    The embedded AWS serves every API under its own address, ``endpoint_url``; on AWS each API has its own host.
    """

    api_id: str
    stage: str
    region: str
    url_suffix: str = "amazonaws.com"
    endpoint_url: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], name: str) -> ApiPlace:
        """Return the API in ``name``_API_ID and ``name``_API_STAGE.

        The rest comes from AWS_REGION, URL_SUFFIX and, only on the embedded AWS, AWS_ENDPOINT_URL.
        """
        return cls(
            api_id=required(environment, f"{name}_API_ID"),
            stage=required(environment, f"{name}_API_STAGE"),
            region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", ""),
            url_suffix=environment.get("URL_SUFFIX") or "amazonaws.com",
            endpoint_url=environment.get("AWS_ENDPOINT_URL", "").rstrip("/"),
        )

    @property
    def host(self) -> str:
        """The host on AWS; empty on the embedded AWS, where the page's host serves the API."""
        return "" if self.endpoint_url else f"{self.api_id}.execute-api.{self.region}.{self.url_suffix}"

    @property
    def path(self) -> str:
        """The path behind the host, without a trailing slash."""
        if self.endpoint_url:
            return f"/_aws/execute-api/{self.api_id}/{self.stage}"
        return "" if self.stage == "$default" else f"/{self.stage}"

    @property
    def url(self) -> str:
        """The address for calls, and for writing to its connections."""
        return f"{self.endpoint_url}{self.path}" if self.endpoint_url else f"https://{self.host}{self.path}"


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Settings of the function that serves the page."""

    watch: ApiPlace
    buckets: tuple[str, ...]
    regions: Mapping[str, str]
    sign_in_url: str
    sign_in_client: str
    decide_scope: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> PageSettings:
        """Return the settings in the WATCH API, PHOTO_BUCKETS, SIGN_IN_URL, SIGN_IN_CLIENT and DECIDE_SCOPE.

        BUCKET_REGIONS says which of the buckets lie in another region.
        """
        return cls(
            watch=ApiPlace.from_environment(environment, "WATCH"),
            buckets=names_in(environment, "PHOTO_BUCKETS"),
            regions=bucket_regions(environment),
            sign_in_url=environment.get("SIGN_IN_URL", ""),
            sign_in_client=environment.get("SIGN_IN_CLIENT", ""),
            decide_scope=environment.get("DECIDE_SCOPE", ""),
        )

    @property
    def photo_hosts(self) -> tuple[str, ...]:
        """The hosts that photos are read from and uploaded to: each bucket's own on AWS, else the page's.

        A bucket with a dot in its name is addressed by path, because no certificate covers a host with more dots.
        """
        if self.watch.endpoint_url:
            return (self.watch.endpoint_url, self.watch.endpoint_url.replace("127.0.0.1", "localhost"))
        return tuple(self._photo_host(bucket) for bucket in self.buckets)

    def _photo_host(self, bucket: str) -> str:
        regional_host = f"s3.{self.regions.get(bucket, self.watch.region)}.{self.watch.url_suffix}"
        return f"https://{regional_host}/{bucket}/" if "." in bucket else f"https://{bucket}.{regional_host}"
