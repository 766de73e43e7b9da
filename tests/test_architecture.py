"""The architecture on one screen: who may import whom, which library lives where, and what happens at import."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

from pipeline import errors

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("catalog_loader", "tagging_lambda", "results_sink")
MAY_IMPORT = {
    "pipeline": {"pipeline"},
    **{stage: {stage, "pipeline"} for stage in STAGES},
    "infra": {"infra", *STAGES, "pipeline"},
}

# Each library and the one place that may import it; what is not named here may be imported by nobody.
DOORS = {
    "aws_lambda_powertools": (
        "pipeline/telemetry.py",
        "pipeline/http/",
        "tagging_lambda/tag.py",
        "tagging_lambda/classify_once.py",
        "tagging_lambda/curate/decide_request.py",
        "catalog_loader/upload.py",
        "results_sink/",
    ),
    "boto3": ("pipeline/aws/", "infra/local/"),
    "botocore": ("pipeline/aws/", "infra/local/"),
    "click": ("cli.py", "infra/"),
    "httpx": ("pipeline/http/client.py",),
    "ministack": ("infra/local/",),
    "numpy": ("",),
    "onnx": ("infra/model/",),
    "onnxruntime": ("tagging_lambda/classify.py", "infra/model/"),
    "PIL": ("tagging_lambda/image/preprocess.py",),
    "pyarrow": (
        "results_sink/export/tables.py",
        "results_sink/export/parquet.py",
        "results_sink/export/delta.py",
        "results_sink/export/coverage.py",
    ),
    "pydantic": ("pipeline/http/",),
    "samtranslator": ("infra/local/",),
    "tqdm": ("pipeline/progress.py",),
    "urllib3": ("pipeline/aws/",),
}

# Names of rooms and files that say nothing of what is in them.
EMPTY_NAMES = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "lib",
    "manager",
    "misc",
    "service",
    "shared",
    "util",
    "utils",
}

# What may stand at the top of a module: names are given, nothing is done.
QUIET = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
DOERS = {
    # Calls that reach outside the process or depend on when they are made.
    "Popen",
    "Thread",
    "client",
    "connect",
    "connected",
    "exists",
    "find_stack",
    "from_environment",
    "get",
    "getenv",
    "glob",
    "home",
    "input",
    "is_file",
    "iterdir",
    "load",
    "model_dir",
    "monotonic",
    "now",
    "open",
    "perf_counter",
    "print",
    "read_bytes",
    "read_text",
    "resource",
    "run",
    "session",
    "start",
    "time",
    "token_hex",
    "today",
    "urlopen",
    "utcnow",
    "uuid4",
    "write_text",
}


def modules() -> list[Path]:
    """Return every module of the product."""
    return sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the module's place below the root, as it is read here."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> set[str]:
    """Return the full names of all modules that this one imports, at its top or anywhere else."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}, line {node.lineno}: imports are absolute"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


every_module = pytest.mark.parametrize("path", modules(), ids=name_of)


@every_module
def test_imports_go_one_way_and_stages_never_see_each_other(path: Path) -> None:
    room = name_of(path).split("/")[0]
    imported_rooms = {name.split(".")[0] for name in imports_of(path)} & set(MAY_IMPORT)

    assert imported_rooms <= MAY_IMPORT[room]


@every_module
def test_each_library_has_one_door(path: Path) -> None:
    for name in {name.split(".")[0] for name in imports_of(path)} - set(MAY_IMPORT) - set(sys.stdlib_module_names):
        doors = DOORS.get(name, ())
        assert any(name_of(path).startswith(door) or name_of(path).endswith(f"/{door}") for door in doors), name


@every_module
def test_a_module_says_in_one_line_what_lives_in_it(path: Path) -> None:
    docstring = ast.get_docstring(tree_of(path))

    assert docstring
    assert docstring.splitlines()[0].rstrip().endswith(".")


@every_module
def test_nothing_happens_at_import_but_where_a_process_begins(path: Path) -> None:
    if path.name == "cli.py" or path.name.startswith("lambda_") or path.name == "__main__.py":
        return
    for node in tree_of(path).body:
        assert _is_quiet(node), f"{name_of(path)}, line {node.lineno}: {ast.unparse(node)[:80]}"


def _is_quiet(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in {"TYPE_CHECKING", "__name__ == '__main__'"}
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is None or not {_last_name(call.func) for call in _calls_now(node.value)} & DOERS
    return isinstance(node, QUIET)


def _calls_now(node: ast.AST) -> list[ast.Call]:
    """Return the calls in an expression, without those in a lambda, which are made later."""
    if isinstance(node, ast.Lambda):
        return []
    inner = [call for child in ast.iter_child_nodes(node) for call in _calls_now(child)]
    return [node, *inner] if isinstance(node, ast.Call) else inner


def _last_name(function: ast.expr) -> str:
    return ast.unparse(function).rsplit(".", 1)[-1]


@every_module
def test_a_deployed_function_is_imported_by_nobody(path: Path) -> None:
    assert not [name for name in imports_of(path) if name.rsplit(".", 1)[-1].startswith("lambda_")]


@every_module
def test_a_file_is_named_for_what_is_in_it(path: Path) -> None:
    assert not {part.removesuffix(".py").strip("_") for part in name_of(path).split("/")} & EMPTY_NAMES


def test_every_stage_has_its_functions_beside_its_verbs() -> None:
    deployed = {name_of(path) for path in modules() if path.name.startswith("lambda_")}

    assert all(name.split("/")[0] in STAGES and name.count("/") == 1 for name in deployed)


# ---- the error tree --------------------------------------------------------------------------------------------------


def test_the_error_tree_is_as_it_is_drawn() -> None:
    drawn = _drawn_tree(errors.__doc__ or "")
    real = {
        thing.__name__: thing.__base__.__name__
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, errors.CatalogTaggerError)
    }

    assert drawn == real


def _drawn_tree(text: str) -> dict[str, str]:
    """Return the base of every class that the text draws, by the depth at which its name stands."""
    above: dict[int, str] = {}
    bases: dict[str, str] = {}
    for line in text.splitlines():
        name = next(iter(line.lstrip("│├└─ ").split()), "")
        if not isinstance(getattr(errors, name, None), type):
            continue
        depth = len(line) - len(line.lstrip("│├└─ "))
        above[depth] = name
        bases[name] = above.get(depth - 4, "Exception")
    return bases


def test_every_error_is_one_of_the_tree() -> None:
    """A room raises the errors of the tree, those of the language, or a subclass that stands in errors.py."""
    for path in modules():
        if name_of(path) == "pipeline/errors.py":
            continue
        for node in ast.walk(tree_of(path)):
            bases = [_last_name(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            assert not [base for base in bases if base.endswith(("Error", "Exception"))], name_of(path)
