"""The architecture on one screen: who may import whom, which library lives where, and what happens at import."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

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
        "tagging_lambda/tag_messages.py",
        "tagging_lambda/classify_route.py",
        "tagging_lambda/recorded_photos.py",
        "tagging_lambda/same_photos.py",
        "tagging_lambda/thumbnails.py",
        "tagging_lambda/curate/decide_route.py",
        "catalog_loader/upload_route.py",
        "results_sink/",
    ),
    "boto3": ("pipeline/aws/", "infra/local/"),
    "botocore": ("pipeline/aws/", "infra/local/"),
    "click": ("cli.py", "tagging_lambda/words/heads_option.py", "infra/"),
    "httpx": ("pipeline/http/client.py",),
    "ministack": ("infra/local/",),
    "numpy": ("",),
    "onnx": ("infra/model/",),
    "onnxruntime": ("tagging_lambda/classify.py", "infra/model/"),
    "PIL": ("tagging_lambda/image/decode.py", "infra/heads/", "infra/demo.py"),
    "pyarrow": (
        "catalog_loader/inventory_rows.py",
        "results_sink/export/tables.py",
        "results_sink/export/parquet.py",
        "results_sink/export/delta.py",
        "results_sink/export/summary_tables.py",
        "results_sink/export/columns.py",
    ),
    "pydantic": ("pipeline/http/", "infra/model/foreign_card.py"),
    "rapidfuzz": ("pipeline/suggest.py", "results_sink/search/words.py"),
    "simsimd": ("results_sink/search/nearest.py",),
    "snowballstemmer": ("results_sink/search/words.py",),
    "samtranslator": ("infra/local/",),
    "scipy": ("tagging_lambda/words/train.py", "infra/heads/"),
    "sklearn": ("tagging_lambda/words/train.py",),
    "threadpoolctl": ("tagging_lambda/words/train.py", "infra/heads/"),
    "tqdm": ("pipeline/progress.py",),
    "urllib3": ("pipeline/aws/",),
}

# Names by which clients of AWS are held.
CLIENTS = {"client", "cloudformation", "cloudwatch", "dynamodb", "functions", "management", "s3", "sqs"}
SILENCER = "tagging_lambda/__init__.py"  # sets the variable that onnxruntime reads when it loads, and only then

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


def test_imports_go_one_way_and_stages_never_see_each_other() -> None:
    wrong = {}
    for path in modules():
        rooms = {name.split(".")[0] for name in imports_of(path)} & set(MAY_IMPORT)
        wrong[name_of(path)] = rooms - MAY_IMPORT[name_of(path).split("/")[0]]

    assert not {name: rooms for name, rooms in wrong.items() if rooms}


def test_each_library_has_one_door() -> None:
    wrong = []
    for path in modules():
        imported = {name.split(".")[0] for name in imports_of(path)} - set(MAY_IMPORT) - set(sys.stdlib_module_names)
        wrong += [f"{name_of(path)} imports {name}" for name in imported if not _is_door(name_of(path), name)]

    assert not wrong


def _is_door(module: str, library: str) -> bool:
    return any(module.startswith(door) or module.endswith((f"/{door}", f"_{door}")) for door in DOORS.get(library, ()))


def test_clients_of_aws_are_held_by_adapters_alone() -> None:
    """A field or an argument of type Any that is named for a client would be one, untyped, outside of its room."""
    wrong = []
    for path in modules():
        if name_of(path).startswith(("pipeline/aws/", "infra/")):
            continue
        for node in ast.walk(tree_of(path)):
            name, annotation = _annotated(node)
            if name in CLIENTS and annotation == "Any":
                wrong.append(f"{name_of(path)}, line {node.lineno}: {name}")

    assert not wrong


def _annotated(node: ast.AST) -> tuple[str, str]:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target), ast.unparse(node.annotation)
    if isinstance(node, ast.arg) and node.annotation is not None:
        return node.arg, ast.unparse(node.annotation)
    return "", ""


def test_a_module_says_in_one_line_what_lives_in_it() -> None:
    first_lines = {name_of(path): (ast.get_docstring(tree_of(path)) or "").split("\n")[0] for path in modules()}

    assert not [name for name, line in first_lines.items() if not line.rstrip().endswith(".")]


def test_nothing_happens_at_import_but_where_a_process_begins() -> None:
    loud = [
        f"{name_of(path)}, line {node.lineno}: {ast.unparse(node)[:80]}"
        for path in modules()
        if path.name not in {"cli.py", "__main__.py"}
        and name_of(path) != SILENCER
        and not path.name.startswith("lambda_")
        for node in tree_of(path).body
        if not _is_quiet(node)
    ]

    assert not loud


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


def test_a_deployed_function_is_imported_by_nobody() -> None:
    imported = {name for path in modules() for name in imports_of(path) if name.split(".")[0] in MAY_IMPORT}

    ours = {name for name in imported if not name.startswith("ministack.")}
    assert not [name for name in ours if name.rsplit(".", 1)[-1].startswith("lambda_")]


def test_a_file_is_named_for_what_is_in_it() -> None:
    parts = {part.removesuffix(".py").strip("_") for path in modules() for part in name_of(path).split("/")}

    assert not parts & EMPTY_NAMES


def test_every_port_has_an_adapter_and_a_fake() -> None:
    """The contract suites in tests/pipeline hold both; who adds a port adds them."""
    ports = {node.name for node in tree_of(ROOT / "pipeline/ports.py").body if _is_protocol(node)}
    promised = {room: _promises(room) for room in ("aws", "memory")}

    assert ports - promised["memory"] == set()
    assert ports - promised["aws"] == {"ExportedImages"}  # its adapter reads Parquet, in results_sink/export


def _is_protocol(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and "Protocol" in {ast.unparse(base) for base in node.bases}


def _promises(room: str) -> set[str]:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipeline" / room).glob("*.py"))
    return set(re.findall(r"as ``(\w+)`` promises", text))


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
