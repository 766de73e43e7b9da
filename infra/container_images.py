"""The template for deploying functions as container images, made from the one that deploys zips."""

from __future__ import annotations

import re
from collections.abc import Mapping

import click

from infra.package import PACKAGES, TEMPLATE
from infra.wheels import PYTHON_VERSION
from pipeline.errors import CallerError

SHARED_RUNTIME = re.compile(rf"(?m)^    Runtime: python{re.escape(PYTHON_VERSION)}.*\n")
CODE = re.compile(r"(?m)^      CodeUri: .*/(?P<function>\w+)\.zip\n      Handler: (?P<handler>\S+)\n")


def with_images(template: str, images: Mapping[str, str]) -> str:
    """Return the template with these functions as the images at these addresses, and the others unchanged.

    AWS SAM accepts no runtime for an image, so each function that stays a zip gets a runtime of its own.

    Raises:
        CallerError: there is no function of that name.
    """
    unknown = set(images) - {package.function for package in PACKAGES}
    if unknown:
        known = ", ".join(package.function for package in PACKAGES)
        raise CallerError(f"there is no function {', '.join(sorted(unknown))}; choose from {known}")

    def written(match: re.Match[str]) -> str:
        if match["function"] not in images:
            return f"{match[0]}      Runtime: python{PYTHON_VERSION}\n"
        lines = ("PackageType: Image", f"ImageUri: {images[match['function']]}", "ImageConfig:")
        return "".join(f"      {line}\n" for line in lines) + f"        Command: [{match['handler']}]\n"

    return CODE.sub(written, SHARED_RUNTIME.sub("", template))


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="FUNCTION=ADDRESS...")
def image_template(images: tuple[str, ...]) -> None:
    """Print the template with these functions as container images at these addresses."""
    named = dict(pair.partition("=")[::2] for pair in images)
    click.echo(with_images(TEMPLATE.read_text(encoding="utf-8"), named), nl=False)
