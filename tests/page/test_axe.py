"""Who uses a screen reader, a keyboard or high contrast is kept from nothing: axe finds no fault, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.model.npm import Npm, PublishedPackage, contents, fetch
from pipeline.errors import CallerError
from pipeline.settings import home
from tests.page.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AXE = PublishedPackage(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    size_bytes=708_405,
)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe, fetched by npm and pinned."""
    try:
        package = fetch(AXE, home() / "downloads", Npm(), lambda line: None)
    except CallerError as error:
        pytest.skip(f"axe-core cannot be fetched: {error}")
    return contents(package)["axe.min.js"].decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_fault(open_page: Callable[..., Any], site: Site, axe: str, state: str, scheme: str) -> None:
    # The test's own script is no file of the page, so the page's policy would keep it out.
    page = open_page("upload", color_scheme=scheme, bypass_csp=True)
    STATES[state](page, site)
    page.evaluate(axe)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")

    assert [
        (each["id"], each["impact"], [node["html"][:120] for node in each["nodes"]]) for each in found["violations"]
    ] == []
