"""How tests are divided among the processes that run them (DECISIONS.md, 159)."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# What one worker runs from end to end, with the reason. Every other file is a unit of its own. These begin first, in
# this order: one that lasts minutes and begins last would keep one worker busy while the others have nothing left.
UNITS: dict[str, tuple[str, ...]] = {
    # These write build/, dist/ and .venv/tools of this checkout.
    "the checkout": ("tests/docs/test_as_typed.py", "tests/infra/test_deploy.py", "tests/infra/test_wheel.py"),
    # The chaos run lasts longer than any other test.
    "chaos": ("tests/chaos/",),
    # These look at one stack with the real model and the tagged sample catalogue.
    "the page": ("tests/page/",),
    # These run the functions' packages, each of which pip installs.
    "packages": ("tests/infra/test_runtime.py", "tests/infra/test_package.py"),
}


def unit_of(node_id: str) -> str:
    """Return the name of the unit that a test belongs to."""
    path = node_id.split("::", 1)[0]
    return next((unit for unit, paths in UNITS.items() if path.startswith(paths)), path)


def order_of(node_id: str) -> int:
    """Return when a test's unit begins: those that last long in their order, then all others."""
    unit = unit_of(node_id)
    return list(UNITS).index(unit) if unit in UNITS else len(UNITS)


class UnitScheduling(LoadScopeScheduling):
    """Gives a worker whole units, in the order in which their first tests were collected."""

    def _split_scope(self, node_id: str) -> str:
        return unit_of(node_id)
