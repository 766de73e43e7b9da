"""Every command of the documents is run as a reader types it, and every make target.

What is not says here why (DECISIONS.md, 47).

A new block is run by itself. Its language says how: ``sh`` in a shell, ``console`` line by line behind a ``$``,
``python`` by this Python, ``sql`` by DuckDB in an export (docs/lakes.md by Spark, in test_lakes.py); ``text`` is only
shown.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb
import pytest

from infra.build import BUILD, MAX_UNZIPPED_BYTES, Built
from infra.model.npm import Npm
from infra.model.sample_catalogue import sample_catalogue
from infra.package import PACKAGES
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.images import ImageRef
from pipeline.settings import home
from pipeline.stack import LocalRun, find_stack
from tests.builders import jpeg, tagged_image
from tests.docs.fenced import OURS, ROOT, Block, all_blocks, targets
from tests.docs.idle_code import give_idle_code
from tests.docs.workbench import Workbench, search_engine
from tests.infra.local.scratch import wait_for
from tests.infra.stack_account import Account
from tests.inventories import MANIFEST, Listed, inventory_objects
from tests.strace import strangers, tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

LANGUAGES = {"sh", "console", "python", "sql", "text"}
BUCKETS = ("my-shop", "sample-shop", "my-bucket")
# What begins like this is not run here, each with its reason. `make` targets stand here as `make TARGET`.
NOT_RUN = {
    "make test": "it is what runs this test; .ci/run types it",
    "make test-quick": "a part of make test, which .ci/run types",
    "make lint": ".ci/run types it before the tests",
    "make style": ".ci/run types it before the tests",
    "make check": "make lint and make check-aws",
    "make check-aws": "the second job of .github/workflows types it; it installs four tools",
    "make audit": "the second job of .github/workflows types it; what is known of vulnerabilities changes every day",
    "make check-arm": "it emulates another processor, which takes minutes, and wants Debian's apt",
    "make check-cpu": "it plays another processor, which takes half an hour",
    "make chaos": "it loads the machine for minutes or hours, by its size; tests/chaos tests its parts",
    "make bench": "its figures need a machine with nothing else to do",
    "make bench-quick": ".ci/run types it after the tests",
    "make bench-peers": "its figures need a machine with nothing else to do, and it installs 2 GB",
    "make bench-search": "its figures need a machine with nothing else to do, for ten minutes",
    "make bench-backfill": "its figures need a machine with nothing else to do",
    "make bench-segments": "likewise",
    "make bench-load": "likewise",
    "make bench-packages": "its figures need a machine with nothing else to do",
    "make quality": "it measures on labelled photos that are not part of the project",
    "catalog-tagger learn labels.csv": "it learns from a shop's photos; tests/tagging_lambda/words types it",
    "catalog-tagger tag new-photos": "it uses what was learned from a shop's photos; the same test types it",
    "make dist": "it takes a minute; tests/infra/test_wheel.py types it",
    "make clean": "it removes what these tests stand on; it is typed in a copy below",
    "aws s3api put-bucket-inventory-configuration": "the embedded AWS writes no inventories; its form is checked",
    "aws s3control create-job": "the embedded AWS has no S3 Batch Operations; its form is checked",
    "aws s3control describe-job": "the embedded AWS has no S3 Batch Operations; its form is checked",
    "apt-get install": "it changes the machine, and needs its administrator",
    ".venv/bin/python -m infra taxonomy": "it needs that apt-get; tests/infra/taxonomy runs it where WordNet is",
}
PASSED_OVER = tuple(NOT_RUN)
BLOCKS = all_blocks()
RUNBOOK = [block for block in BLOCKS if block.document == "RUNBOOK.md"]
OTHERS = [block for block in BLOCKS if block.document != "RUNBOOK.md"]
RUN = "20260301T120000Z-0a1b2c"
ENDS_THE_STACK = {"A deployment that failed", "Taking it down", "Coming back"}  # each of their blocks has its own stack
TARGETS_TYPED = {"help", "setup", "cost", "open", "demo", "package", "deploy", "lock"}


# ---- Nothing is left out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_how_it_is_run_and_what_is_only_shown_holds_no_command(block: Block) -> None:
    assert block.language in LANGUAGES, f"write one of {', '.join(sorted(LANGUAGES))} behind the fence of {block}"
    if block.language == "text":
        assert not [line for line in block.text.splitlines() if line.startswith(OURS)], str(block)


@pytest.mark.parametrize(
    ("language", "text"), [("bash", "make demo\n"), ("", "catalog-tagger open\n"), ("text", "$ catalog-tagger open\n")]
)
def test_a_new_block_with_a_command_that_nothing_runs_fails(language: str, text: str) -> None:
    block = Block("README.md", "Deploy it", 1, language, text)

    with pytest.raises(AssertionError, match=r"README\.md:1"):
        test_a_block_says_how_it_is_run_and_what_is_only_shown_holds_no_command(block)


def test_every_target_is_typed_or_says_why_not() -> None:
    listed = {name.removeprefix("make ") for name in NOT_RUN if name.startswith("make ")}

    assert targets() == TARGETS_TYPED | listed


def test_what_is_not_run_is_still_there() -> None:
    texts = [block.typed for block in BLOCKS] + [f"make {target}\n" for target in targets()]

    assert [line for line in NOT_RUN if not any(re.search(rf"(?m)^{re.escape(line)}", text) for text in texts)] == []


# ---- README, CONTRIBUTING, docs: one local stack ---------------------------------------------------------------------


def md5_of(photo: Path) -> str:
    """Return the ETag that S3 gives to a photo, without its quotes."""
    return hashlib.md5(photo.read_bytes(), usedforsecurity=False).hexdigest()


class Reader:
    """A reader with a local stack, which each block finds up whatever the block before did."""

    def __init__(self, workbench: Workbench, photos: list[Path]) -> None:
        self.workbench, self.photos = workbench, photos

    def endpoint_url(self) -> str:
        """Bring the stack up if it is not, and return where it answers."""
        run = self._run()
        if run is None or run.pid is None:  # a command that only finds the stack up takes seconds, for every block
            self.workbench.type("catalog-tagger local up")
            run = self._run()
        assert run is not None
        return run.endpoint_url

    def _run(self) -> LocalRun | None:
        return LocalRun.load(self.workbench.folder.parent / "home" / "local")

    def fill(self) -> None:
        """Put the reader's photos into the buckets that the documents speak of, load them, and export them."""
        s3 = client("s3", self.endpoint_url())
        for bucket in BUCKETS:
            s3.create_bucket(Bucket=bucket)
            for photo in self.photos:
                s3.put_object(Bucket=bucket, Key=f"photos/{photo.name}", Body=photo.read_bytes())
        s3.put_object(Bucket="my-bucket", Key="shoes/1.jpg", Body=self.photos[0].read_bytes())
        s3.create_bucket(Bucket="my-inventory")
        changes = {"sourceBucket": "my-shop", "destinationBucket": "arn:aws:s3:::my-inventory"}
        rows = [Listed(f"photos/{photo.name}", md5_of(photo), photo.stat().st_size) for photo in self.photos]
        for key, data in inventory_objects(rows, file_format="Parquet", **changes).items():
            s3.put_object(Bucket="my-inventory", Key=f"my-{key}" if key == MANIFEST else key, Body=data)
        self.workbench.type(
            "catalog-tagger load s3://my-bucket/ --wait; catalog-tagger export; catalog-tagger export out"
        )

    def copy_export(self) -> Path:
        """Change a record, so that something follows the stack's export, and return a copy of all of it in a folder."""
        s3, bucket = client("s3", self.endpoint_url()), find_stack(self.variables()).export_bucket
        self.workbench.type("catalog-tagger pin boot s3://my-bucket/shoes/1.jpg")
        wait_for(lambda: json.loads(s3.get_object(Bucket=bucket, Key="export/latest.json")["Body"].read())["deltas"])
        folder = self.workbench.folder / "stack-export"
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="export/"):
            for found in page["Contents"]:
                path = folder / found["Key"].removeprefix("export/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
        return folder

    def variables(self) -> dict[str, str]:
        """Return the variables by which the local stack is found."""
        return {"CATALOG_TAGGER_HOME": str(self.workbench.folder.parent / "home"), "CATALOG_TAGGER_TARGET": "local"}

    def named(self, text: str, export: str = "out") -> str:
        """Return a script in which SNAPSHOT, and the snapshot of an example, is the reader's own."""
        folder = self.workbench.folder / export / "snapshots"
        snapshot = max(path.name for path in folder.iterdir()) if folder.exists() else "SNAPSHOT"
        return re.sub(r"SNAPSHOT|\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}", snapshot, text)


@pytest.fixture(scope="module")
def reader(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    catalogue = sample_catalogue(home(), Npm(), lambda line: None)
    photos = [photo.path for photo in catalogue.photos if "shoe" in photo.product or "sofa" in photo.product]
    photos += [photo.path for photo in catalogue.photos if photo.path not in photos][:4]
    copies = tmp_path_factory.mktemp("photos")
    named = []
    products = {photo.path: photo.product for photo in catalogue.photos}
    for photo in photos:
        named.append(copies / f"{products[photo]}.jpg")
        named[-1].write_bytes(photo.read_bytes())
    workbench = Workbench.lay_out(tmp_path_factory.mktemp("reader"), named)
    reader = Reader(workbench, named)
    try:
        reader.fill()
        yield reader
    finally:
        workbench.type("catalog-tagger local down --purge")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", [block for block in OTHERS if block.language in {"sh", "console"}], ids=str)
def test_what_is_typed_into_a_shell_works(reader: Reader, block: Block) -> None:
    script = reader.named(block.without(PASSED_OVER))
    deploys = "make deploy" in script
    script = re.sub(r"(?m)^make (demo|deploy).*\n", "", script)  # typed below, where more is seen of them
    if deploys:
        script = script.replace("catalog-tagger doctor", "CATALOG_TAGGER_TARGET=local catalog-tagger doctor")
    reader.endpoint_url()
    with search_engine() as address:
        reader.workbench.type(script, OPENSEARCH=address, TYPESENSE=address, KEY="key")


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_what_is_written_in_python_works(reader: Reader, block: Block) -> None:
    reader.endpoint_url()
    (reader.workbench.folder / "example.py").write_text(block.text)
    reader.workbench.type("python example.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "sql" and block.document != "docs/lakes.md"], ids=str
)
def test_what_is_written_in_sql_finds_something(reader: Reader, block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reader.copy_export()
    monkeypatch.chdir(folder)
    rows = []
    with duckdb.connect() as connection:
        for statement in reader.named(block.text, folder.name).split(";"):
            if statement.strip():
                rows = connection.execute(statement).fetchall()

    assert rows


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_make_demo_does_the_whole_job_and_connects_nowhere(reader: Reader, tmp_path: Path) -> None:
    """The model and the photos are here already: fetching them is what it was told to connect for."""
    said = reader.workbench.type("make demo", *tracing(tmp_path / "trace"))

    assert "To go on: make open" in said
    assert strangers(tmp_path / "trace") == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_make_open_help_setup_and_cost_work(reader: Reader) -> None:
    assert "The page: http://127.0.0.1:" in reader.workbench.type("make open")
    assert "make demo" in reader.workbench.type("make help")
    reader.workbench.type("make setup")
    page = ROOT / "docs" / "cost.md"
    before = page.read_text(encoding="utf-8")
    reader.workbench.type("make cost")

    assert page.read_text(encoding="utf-8") == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_make_lock_writes_what_is_there_as_long_as_nothing_else_is_wanted(reader: Reader) -> None:
    locks = {path: path.read_text(encoding="utf-8") for path in (ROOT / "infra" / "locks").glob("*.txt")}
    reader.workbench.type("make lock")

    assert {path: path.read_text(encoding="utf-8") for path in locks} == locks


def test_make_clean_removes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    made = (".venv", ".catalog-tagger", "build", "infra/__pycache__", "x.egg-info")
    for name in (*made, "infra/locks"):
        (tmp_path / name).mkdir(parents=True)
    done = subprocess.run(["make", "clean"], cwd=tmp_path, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "infra"]
    assert (tmp_path / "infra" / "locks").exists()


# ---- Packages and the runbook: a stack of a shop on an embedded AWS, by AWS's own command lines ----------------------


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])  # x86_64 last: the runbook deploys it
def test_make_package_builds_zips_that_aws_lambda_takes(reader: Reader, architecture: str) -> None:
    reader.workbench.type(f"make package ARCH={architecture}")
    built = {package.function: Built(BUILD / f"{package.function}.zip") for package in PACKAGES}

    assert [name for name, each in built.items() if not each.folder.is_dir()] == []
    assert {name for name, each in built.items() if each.unzipped_bytes > 0.8 * MAX_UNZIPPED_BYTES} == set()
    machine = {"arm64": 0xB7, "x86_64": 0x3E}[architecture]
    code = next((BUILD / "TagFunction" / "numpy").rglob("*.so"))
    assert int.from_bytes(code.read_bytes()[18:20], "little") == machine


@pytest.fixture(scope="module")
def operator(
    own_ministack: str, real_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workbench, str]]:
    """An operator's place, and the address of what they take for AWS."""
    photo = tmp_path_factory.mktemp("photo") / "a.jpg"
    photo.write_bytes(jpeg("red"))
    workbench = Workbench.lay_out(tmp_path_factory.mktemp("operator"), [photo])
    workbench.type("make .venv/tools/aws.stamp .venv/tools/sam.stamp")
    # A new stack begins with the first one's parameters, and the embedded AWS knows no alarm that calculates.
    Path(workbench.environment["PARAMETERS_FILE"]).write_text('["first"]\nAlarms = "false"\n', encoding="utf-8")
    workbench.environment |= {
        "AWS_ENDPOINT_URL": own_ministack,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_POLL_DELAY": "0.5",  # seconds between two questions; AWS SAM waits 5, where AWS is far away
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("MODEL_DIR", str(real_model))
        yield workbench, own_ministack


def names_of(account: Account) -> dict[str, str]:
    """Return what the runbook's words in capitals are in this account."""
    stack = account.stack()
    mappings = client("lambda", account.endpoint_url).list_event_source_mappings(FunctionName=stack.tag_function_name)
    return {
        "UPLOADS_DEAD_LETTER_QUEUE_URL": stack.uploads_dead_letter_queue_url,
        "EXPORT_FUNCTION": stack.export_function_name,
        "TAG_FUNCTION": stack.tag_function_name,
        "EXPORT_BUCKET": stack.export_bucket,
        "MAPPING": mappings["EventSourceMappings"][0]["UUID"],
        "ADDRESS": f"s3://{account.name}-theirs/models/resnet/{'0' * 64}",
        "MODELS": f"{account.name}-theirs",
        "BUCKET": f"{account.name}-theirs",
        "CERTIFICATE": "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d",
        "PREFIX": "photos",
        "TABLE": stack.table_name,
        "RUN": RUN,
        "catalog-tagger-before": f"{account.name}-before",
        "catalog-tagger-2": f"{account.name}-2",
        "catalog-tagger": account.name,
    }


def filled_in(script: str, names: dict[str, str]) -> str:
    """Return the script with the names of the account; the command itself is called as the stack is."""
    script = re.sub(r"(?m)^((?:[A-Z_]+=\S+ )*)catalog-tagger ", "\\g<1>\0 ", script)
    for name, value in names.items():
        script = re.sub(rf"(?<![A-Za-z_-]){re.escape(name)}(?![A-Za-z_])", value, script)
    return script.replace("\0", "catalog-tagger")


def account_with_photos(endpoint_url: str, folder: Path) -> Account:
    """Return an account with a deployed stack, and with two photos in a bucket that is not the stack's."""
    account = Account.asleep_with_a_neighbour(endpoint_url, folder)
    for key in ("photos/a.jpg", "photos/b.jpg"):
        account.s3.put_object(Bucket=f"{account.name}-theirs", Key=key, Body=jpeg("red"))
    give_idle_code(account.name, lambda service: client(service, endpoint_url))
    return account


def record_run(account: Account) -> None:
    """Record that the run tagged a photo, as the tagging function would, so that there is a run to take back."""
    tagged = tagged_image(ImageRef(f"{account.name}-theirs", f"photos/{uuid4().hex}.jpg"))
    written = replace(tagged, observation=replace(tagged.observation, run_id=RUN))
    DynamoTable(client("dynamodb", account.endpoint_url), account.stack().table_name).put(written, 0)


def account_with_a_failed_deployment(endpoint_url: str, folder: Path) -> Account:
    """Return an account whose first deployment was rolled back."""
    account = Account(endpoint_url, folder, asleep=True)
    account.try_to_deploy("VisibilityTimeout: 721 ", "VisibilityTimeout: 99999 ")
    assert account.status() == "ROLLBACK_COMPLETE"
    return account


@pytest.fixture(scope="module")
def kept_account(operator: tuple[Workbench, str], tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The account of every block that leaves its stack standing, as one operator has one stack (DECISIONS.md, 122)."""
    return account_with_photos(operator[1], tmp_path_factory.mktemp("kept") / "code")


def type_block(operator: tuple[Workbench, str], block: Block, account: Account, names: dict[str, str]) -> None:
    """Type a block of the runbook for the account's stack, which a deployment must leave in order."""
    workbench, _ = operator
    script = filled_in(block.without(PASSED_OVER), names)
    if RUN in script:
        record_run(account)
    workbench.type(script, CATALOG_TAGGER_STACK=account.name, STACK=account.name)
    if "make deploy" in script and "STACK=" not in script:
        assert account.status() in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


@pytest.mark.slow
@pytest.mark.timeout(600)  # the first one's includes a deployment of the stack, and libraries that are fetched
@pytest.mark.parametrize(
    "block",
    [block for block in RUNBOOK if block.heading not in ENDS_THE_STACK],
    ids=lambda block: f"{block}-{block.heading}",
)
def test_what_the_runbook_says_works(operator: tuple[Workbench, str], kept_account: Account, block: Block) -> None:
    type_block(operator, block, kept_account, names_of(kept_account))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "block",
    [block for block in RUNBOOK if block.heading in ENDS_THE_STACK],
    ids=lambda block: f"{block}-{block.heading}",
)
def test_what_the_runbook_says_of_a_stacks_end_works(
    operator: tuple[Workbench, str], block: Block, tmp_path: Path
) -> None:
    if block.heading == "A deployment that failed":
        account = account_with_a_failed_deployment(operator[1], tmp_path / "code")
        type_block(operator, block, account, {"catalog-tagger": account.name})
        return
    account = account_with_photos(operator[1], tmp_path / "code")
    type_block(operator, block, account, names_of(account))
