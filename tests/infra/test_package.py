"""The packages hold all that their functions import, and the same sources always make the same zip."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from infra.build import MAX_UNZIPPED_BYTES, build
from infra.lock import Locked, read_lock
from infra.package import LOCKS, PACKAGES, ROOT, RUNTIME_CLIENT, Package, requirements, zip_files
from infra.sbom import bill_of_materials
from infra.wheels import KEPT_SERVICES, PYTHON_VERSION, Architecture, runtime_python
from pipeline.errors import BadModel, BadTaxonomy, DeployerError
from tests.infra.local.scratch import tiny_model
from tests.infra.template_parts import functions

if TYPE_CHECKING:
    from pathlib import Path

IMPORTED_AS = {
    "PIL": "pillow",
    "aws_lambda_powertools": "aws-lambda-powertools",
    "botocore": "boto3",
    "urllib3": "boto3",  # by way of botocore
}
TAG, EXPORT = (next(each for each in PACKAGES if each.function == f"{name}Function") for name in ("Tag", "Export"))
every_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.function)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "model")


def imported_now(node: ast.AST) -> set[str]:
    """Return the modules that a file imports when it is imported: not in functions, and not for types only."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return set()
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return set()
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set().union(*(imported_now(child) for child in ast.iter_child_nodes(node)))


def needed_by(handler: str, sources: dict[str, Path]) -> tuple[set[str], set[str]]:
    """Return the sources and the names of others' modules that importing this one brings in."""
    seen: set[str] = set()
    foreign: set[str] = set()
    waiting = [handler]
    while waiting:
        name = waiting.pop()
        file = next(
            (f for f in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py") if f in sources), None
        )
        if file is None:
            foreign.add(name.split(".")[0])
        elif file not in seen:
            seen.add(file)
            waiting += imported_now(ast.parse(sources[file].read_text(encoding="utf-8")))
    return seen, foreign - {package.split("/")[0] for package in sources} - set(sys.stdlib_module_names)


@every_package
def test_a_package_holds_all_that_its_handler_imports(package: Package, model: Path) -> None:
    sources = package.sources(model)
    handler = functions()[package.function]["Handler"].removesuffix(".handler")
    assert f"{handler.replace('.', '/')}.py" in sources
    _, foreign = needed_by(handler, sources)

    assert {IMPORTED_AS.get(name, name) for name in foreign} <= set(package.libraries)


@every_package
def test_every_library_is_one_that_the_project_asks_for(package: Package) -> None:
    assert [line.split(">")[0].split("<")[0] for line in requirements(package)] == list(package.libraries)


def test_a_package_holds_its_rooms_and_no_other() -> None:
    rooms = {name.split("/")[0] for name in EXPORT.sources(ROOT / "nowhere")}

    assert rooms == {"pipeline", "results_sink"}


def test_what_answers_what_is_alike_holds_the_weights_of_the_built_in_head_and_nothing_else_of_its_room() -> None:
    [api] = [package for package in PACKAGES if package.function == "ApiFunction"]
    names = [name for name in api.sources(ROOT / "nowhere") if name.startswith("tagging_lambda/")]

    assert names == ["tagging_lambda/words/starter/card.json", "tagging_lambda/words/starter/weights.npz"]


def test_a_package_holds_no_compiled_files(model: Path) -> None:
    assert not [name for name in TAG.sources(model) if name.endswith(".pyc")]


def test_the_model_lies_beside_the_code_with_its_card_and_the_served_file_only(model: Path) -> None:
    (model / "tiny.fp32.onnx").write_bytes(b"another precision")

    assert sorted(name for name in TAG.sources(model) if name.startswith("model/")) == [
        "model/card.json",
        "model/tiny.int8.onnx",
    ]


@every_package
def test_the_shops_own_words_lie_beside_the_taxonomy(
    package: Package, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = tmp_path / "mine.csv"
    overlay.write_text("id,it\nn04120489,scarpa\n")
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(overlay))

    assert package.sources(model)["pipeline/overlay.csv"] == overlay

    overlay.write_text("id,it\nn1,scarpa\n")
    with pytest.raises(BadTaxonomy, match=r"mine\.csv, line 2"):
        package.sources(model)


def test_without_a_model_there_is_no_package_of_the_tagging_function(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="model build"):
        TAG.sources(tmp_path)


def test_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("x = 1\n")
    second.write_text("x = 1\n")

    assert zip_files({"room/a.py": first}) == zip_files({"room/a.py": second})


def test_a_zip_can_be_read_by_everyone_once_it_is_unpacked(tmp_path: Path) -> None:
    """AWS Lambda runs functions as a user who owns none of the files."""
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "a.py").chmod(0o600)
    with zipfile.ZipFile(io.BytesIO(zip_files({"room/a.py": tmp_path / "a.py"}))) as archive:
        entry = archive.getinfo("room/a.py")

    assert entry.external_attr >> 16 == 0o644


# ---- Locks -----------------------------------------------------------------------------------------------------------


@every_package
def test_a_lock_pins_every_library_that_the_package_asks_for_to_a_version_that_the_project_permits(
    package: Package,
) -> None:
    pinned = {each.name: each.version for each in read_lock(package.lock)}
    asked = [Requirement(line) for line in requirements(package)]

    assert [each.name for each in asked if not each.specifier.contains(pinned[each.name])] == []


@every_package
def test_a_lock_knows_each_library_by_the_hashes_of_what_it_may_be_and_says_its_licence(package: Package) -> None:
    for each in read_lock(package.lock):
        assert 1 <= len(each.sha256) <= len(Architecture), each.name
        assert each.licence not in {"unknown", ""}, each.name


def test_a_lock_names_no_place_where_its_libraries_come_from() -> None:
    for lock in LOCKS.glob("*.txt"):
        assert not re.search(r"://|index|\.(org|com|net|io|local)\b", lock.read_text(encoding="utf-8")), lock.name


def test_there_is_a_lock_for_each_package_and_no_other() -> None:
    assert {lock.stem for lock in LOCKS.glob("*.txt")} == {each.function for each in (*PACKAGES, RUNTIME_CLIENT)}


def test_what_is_no_line_of_a_lock_is_refused() -> None:
    with pytest.raises(DeployerError, match="not a line of a lock file; `make lock` writes one"):
        Locked.parse("numpy>=2")


@every_package
def test_a_bill_names_every_locked_library_and_is_always_the_same(package: Package, model: Path) -> None:
    bill = json.loads(bill_of_materials(package, model))
    listed = {(each["name"], each["version"]) for each in bill["components"] if each["type"] == "library"}

    assert listed == {(each.name, each.version) for each in read_lock(package.lock)}
    assert [each["name"] for each in bill["components"] if each["type"] != "library"] == ["tiny"] * package.holds_model
    assert bill_of_materials(package, model) == bill_of_materials(package, model)
    assert bill["serialNumber"] != json.loads(bill_of_materials(TAG, None))["serialNumber"]


def test_a_model_that_is_fetched_is_not_in_the_bill() -> None:
    bill = json.loads(bill_of_materials(TAG, None))

    assert {each["type"] for each in bill["components"]} == {"library"}


# ---- As they are built -----------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Package:
    """A package of two small libraries of the tagging function's, one of them in machine code."""
    (tmp_path / "locks").mkdir()
    lines = [str(each) for each in read_lock(TAG.lock) if each.name in {"pillow", "six"}]
    lock = tmp_path / "locks" / "SmallFunction.txt"
    lock.write_text("# small\n" + "\n".join(lines) + "\n")
    return Package("SmallFunction", ("pipeline",), ("pillow",), locks=lock.parent)


def machines(folder: Path) -> set[int]:
    """Return the processors that the machine code in the folder is for, as its headers say."""
    return {int.from_bytes(path.read_bytes()[18:20], "little") for path in folder.rglob("*.so*")}


@pytest.mark.slow
def test_the_same_inputs_make_the_same_bytes(small: Package, tmp_path: Path) -> None:
    first = build(small, tmp_path / "first", None, Architecture.X86_64)
    second = build(small, tmp_path / "second", None, Architecture.X86_64)

    assert first.zip.read_bytes() == second.zip.read_bytes()
    with zipfile.ZipFile(first.zip) as archive:
        assert sorted(archive.namelist()) == archive.namelist()
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "machine"), [(Architecture.X86_64, 0x3E), (Architecture.ARM64, 0xB7)])
def test_a_package_is_for_the_processor_it_was_built_for_whatever_builds_it(
    small: Package, tmp_path: Path, architecture: Architecture, machine: int
) -> None:
    built = build(small, tmp_path, None, architecture)

    assert machines(built.folder) == {machine}
    assert all(f"cpython-{PYTHON_VERSION.replace('.', '')}-" in path.name for path in built.folder.glob("PIL/*.so"))


@pytest.mark.slow
def test_a_package_holds_no_tests_no_caches_and_nothing_of_where_it_was_built(packages: dict[str, Path]) -> None:
    for folder in packages.values():
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]

        assert not [name for name in names if {"tests", "bin"} & {*name.split("/")}]
        assert not [name for name in names if name.endswith(("/RECORD", "/direct_url.json"))]


MODULES = {"aws-lambda-powertools": "aws_lambda_powertools", "pillow": "PIL.Image", "pyarrow": "pyarrow.parquet"}
MODULES |= {"pyspellchecker": "spellchecker"}


@pytest.mark.slow
@pytest.mark.skipif(runtime_python() is None, reason=f"there is no Python {PYTHON_VERSION} here")
def test_what_is_left_out_of_libraries_is_missed_by_none_of_them(packages: dict[str, Path]) -> None:
    for package in PACKAGES:
        code = "\n".join(f"import {MODULES.get(library, library)}" for library in package.libraries)
        made = [f'boto3.client("{service}", endpoint_url="http://x")' for service in KEPT_SERVICES]
        code = "\n".join([code, *(made if "boto3" in package.libraries else ())])
        environment = {"PYTHONPATH": str(packages[package.function]), "AWS_DEFAULT_REGION": "us-east-1"}
        command = [str(runtime_python()), "-S", "-c", code]
        run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

        assert run.returncode == 0, (package.function, run.stderr)


@pytest.mark.slow
@pytest.mark.skipif(runtime_python() is None, reason=f"there is no Python {PYTHON_VERSION} here")
def test_every_module_of_ours_has_bytecode_that_no_time_makes_stale(packages: dict[str, Path]) -> None:
    for function, folder in packages.items():
        rooms = next(package.rooms for package in PACKAGES if package.function == function)
        modules = [path for room in rooms for path in folder.glob(f"{room}/**/*.py")]
        tag = f"cpython-{PYTHON_VERSION.replace('.', '')}"
        compiled = [path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in modules]

        assert compiled
        assert {path.read_bytes()[4:8] for path in compiled} == {b"\1\0\0\0"}  # PEP 552: by hash, and never checked
        assert not [path for path in compiled if str(ROOT).encode() in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.skipif(runtime_python() is None, reason=f"there is no Python {PYTHON_VERSION} here")
def test_the_packaged_addresses_of_aws_are_those_of_the_whole_library(packages: dict[str, Path]) -> None:
    code = f"""
import boto3
for region in ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"):
    for service in {KEPT_SERVICES!r}:
        print(boto3.client(service, region_name=region).meta.endpoint_url)
"""
    printed = []
    for python, path in ((str(runtime_python()), str(packages["TagFunction"])), (sys.executable, "")):
        environment = {"PYTHONPATH": path, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        run = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, env=environment)
        printed.append(run.stdout.splitlines())

    assert printed[0] == printed[1]
    assert len(set(printed[0])) == 4 * len(KEPT_SERVICES)


def test_every_service_that_a_function_calls_is_described() -> None:
    wired = [path.read_text(encoding="utf-8") for path in ROOT.glob("*/lambda_*.py")]
    services = {name for text in wired for name in re.findall(r"client\(\"(\w+)\"", text)}

    assert services == set(KEPT_SERVICES) - {"sts"}  # which botocore calls by itself, for a role


@pytest.mark.slow
def test_each_package_is_well_below_the_limit(packages: dict[str, Path]) -> None:
    sizes = {
        name: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for name, path in packages.items()
    }

    assert {name for name, size_bytes in sizes.items() if size_bytes > 0.8 * MAX_UNZIPPED_BYTES} == set()


@pytest.mark.slow
def test_a_package_says_how_far_below_the_limit_it_is(small: Package, tmp_path: Path) -> None:
    built = build(small, tmp_path, None, Architecture.X86_64)
    with zipfile.ZipFile(built.zip) as archive:
        left_bytes = MAX_UNZIPPED_BYTES - sum(entry.file_size for entry in archive.infolist())

    assert str(built).endswith(f" {left_bytes:,} below the limit")


@pytest.mark.slow
def test_who_tags_has_no_pyarrow_and_who_exports_no_onnxruntime(packages: dict[str, Path]) -> None:
    assert packages["TagFunction"].joinpath("onnxruntime").exists()
    assert not packages["TagFunction"].joinpath("pyarrow").exists()
    assert packages["ExportFunction"].joinpath("pyarrow").exists()
    assert not packages["ExportFunction"].joinpath("onnxruntime").exists()


@pytest.mark.slow
def test_a_package_too_large_for_aws_lambda_is_refused(small: Package, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    large = tiny_model(tmp_path / "large")
    with (large / "tiny.int8.onnx").open("r+b") as weights:
        weights.truncate(MAX_UNZIPPED_BYTES)

    with pytest.raises(DeployerError, match=r"^SmallFunction has 2\d\d,\d{3},\d{3} bytes; the limit is 262,144,000$"):
        build(replace(small, holds_model=True), tmp_path / "build", large, Architecture.X86_64)


@pytest.mark.slow
def test_a_wheel_that_is_not_the_one_that_was_locked_is_refused(small: Package, tmp_path: Path) -> None:
    text = small.lock.read_text()
    small.lock.write_text(re.sub(r"--hash=sha256:[0-9a-f]{64}", f"--hash=sha256:{'0' * 64}", text))

    with pytest.raises(DeployerError, match=r"^pip could not install what SmallFunction.txt lists"):
        build(small, tmp_path / "build", None, Architecture.X86_64)


def test_a_library_that_cannot_be_had_is_said_in_one_line(tmp_path: Path, model: Path, monkeypatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(DeployerError, match=r"^pip could not install what ExportFunction.txt lists") as raised:
        build(EXPORT, tmp_path / "build", model, Architecture.X86_64)

    assert "\n" not in str(raised.value)
