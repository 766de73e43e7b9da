"""What the tests of the infrastructure share: packages, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.build import unpack
from infra.package import PACKAGES
from infra.wheels import Architecture

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def packages(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each package as AWS Lambda unpacks it, by function."""
    out = tmp_path_factory.mktemp("build")
    return {each.function: unpack(each, out, real_model, Architecture.X86_64) for each in PACKAGES}
