"""The client that openapi-python-client makes of the API's document, generated and imported."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.http.document import DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = "made_client"
CONFIG = "content_type_overrides:\n  image/webp: application/octet-stream\n"  # it knows no pictures, only files


@contextmanager
def generated_client(folder: Path) -> Iterator[Callable[[str], Any]]:
    """Generate the package in the folder, and yield what imports its modules by their names inside it."""
    tools = Path(sys.executable).parent  # the generator formats with ruff
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    command = [tools / "openapi-python-client", "generate", "--path", DOCUMENT, "--meta", "none", "--config", config]
    subprocess.run([*command, "--output-path", folder / PACKAGE], check=True, capture_output=True, env=environment)
    sys.path.insert(0, str(folder))
    try:
        yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
