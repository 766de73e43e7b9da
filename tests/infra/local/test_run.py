"""The template as it runs on this machine: uploads and messages reach the function, and its state outlives a stop."""

from __future__ import annotations

import json
import os
import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from infra.local.deploy import Deployment
from infra.local.place import Place
from infra.local.run import Life, Sources, down, life_of, status, up
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Images
from pipeline.aws.sqs import SqsQueue
from pipeline.errors import DeployerError
from pipeline.images import BucketPrefix, ImageRef
from pipeline.messages import TagImage, decode
from pipeline.records import GoneImage, TaggedImage
from pipeline.stack import find_stack, local_folder
from tests.builders import jpeg
from tests.infra.local.scratch import calls, kill, scratch_sources, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.run import Up
    from pipeline.stack import Stack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def place(home: Path) -> Iterator[Place]:
    """A place whose emulator is stopped, however the tests end."""
    place = Place(local_folder({"CATALOG_TAGGER_HOME": str(home)}))
    try:
        yield place
    finally:
        down(place, purge=True)


@pytest.fixture(scope="module")
def sources(home: Path) -> Sources:
    return scratch_sources(home / "code")


@pytest.fixture
def stack(place: Place, sources: Sources) -> Stack:
    """The stack, up and up to date, whatever the test before did to it."""
    return up(place, sources).stack


def upload(stack: Stack, key: str) -> ImageRef:
    client("s3", stack.endpoint_url).put_object(Bucket=stack.images_bucket, Key=key, Body=b"no picture")
    return ImageRef(stack.images_bucket, key)


def load(stack: Stack, key: str) -> str:
    """Send the loader's message for an image, and return its text."""
    message = TagImage(ImageRef("shop", key), run_id="run-1")
    SqsQueue(client("sqs", stack.endpoint_url), stack.backfill_queue_url).send([message])
    return message.encode()


def call_for(stack: Stack, image: ImageRef) -> dict[str, str] | None:
    """Return the call in which the tagging function was asked to look at the image."""
    messages = [call for call in calls(stack) if call["image"].startswith("{")]
    return next((call for call in messages if image in [message.image for message in decode(call["image"])]), None)


def objects(stack: Stack) -> set[str]:
    listing = S3Images(client("s3", stack.endpoint_url)).listing(BucketPrefix(stack.images_bucket))
    return {listed.image.key for listed in listing}


def variables(stack: Stack) -> dict[str, str]:
    """Return what the tagging function is told."""
    functions = client("lambda", stack.endpoint_url)
    return functions.get_function_configuration(FunctionName=stack.tag_function_name)["Environment"]["Variables"]


def is_idle(place: Place) -> bool:
    found = status(place)
    return all(counts and counts.waiting + counts.in_flight == 0 for counts in (found.uploads, found.backfill))


def test_a_new_stack_is_up_and_idle(place: Place, stack: Stack) -> None:
    found = status(place)

    assert (found.life, found.stack) == (Life.UP, stack)
    assert is_idle(place)


def test_commands_find_the_stack_that_is_up(home: Path, stack: Stack) -> None:
    assert find_stack({"CATALOG_TAGGER_HOME": str(home)}) == stack


def test_an_upload_reaches_the_function_by_the_uploads_queue(stack: Stack) -> None:
    image = upload(stack, "summer shoes/é+1.jpg")
    call = wait_for(lambda: call_for(stack, image))

    assert call["queue"] == "catalog-tagger-uploads"


def test_a_removal_reaches_the_function_too(stack: Stack) -> None:
    image = upload(stack, "removed.jpg")
    wait_for(lambda: call_for(stack, image))
    client("s3", stack.endpoint_url).delete_object(Bucket=image.bucket, Key=image.key)

    wait_for(lambda: any("ObjectRemoved" in call["image"] for call in calls(stack)))


def test_a_message_of_the_loader_reaches_the_function_by_the_backfill_queue(stack: Stack) -> None:
    text = load(stack, "old.jpg")
    call = wait_for(lambda: next((call for call in calls(stack) if call["image"] == text), None))

    assert call["queue"] == "catalog-tagger-backfill"


def test_the_export_function_is_told_where_to_write(stack: Stack) -> None:
    answer = client("lambda", stack.endpoint_url).invoke(FunctionName=stack.export_function_name, Payload=b"{}")

    assert json.load(answer["Payload"]) == {
        "TABLE_NAME": stack.table_name,
        "EXPORT_BUCKET": stack.export_bucket,
        "EXPORT_PREFIX": stack.export_prefix,
    }


def test_up_twice_changes_nothing(place: Place, sources: Sources, stack: Stack) -> None:
    again = up(place, sources)

    assert (again.before, again.changed, again.stack) == (Life.UP, False, stack)


def test_up_deploys_code_that_has_changed(place: Place, home: Path, stack: Stack) -> None:
    again = up(place, scratch_sources(home / "code", code="second"))
    text = load(stack, "after the change.jpg")
    call = wait_for(lambda: next((call for call in calls(again.stack) if call["image"] == text), None))

    assert again.changed
    assert call["code"] == "second"


def test_what_it_holds_outlives_a_stop(place: Place, sources: Sources, stack: Stack) -> None:
    image = upload(stack, "kept.jpg")
    wait_for(lambda: call_for(stack, image))
    before = down(place, purge=False)
    assert (before, life_of(place)) == (Life.UP, Life.DOWN)
    assert not list(place.state.glob("journal*"))
    again = up(place, sources)

    assert again.before is Life.DOWN
    assert again.run.port == _port(stack)
    assert "kept.jpg" in objects(again.stack)
    assert call_for(again.stack, image)


def test_a_stop_ends_what_was_begun_and_keeps_what_waits(place: Place, sources: Sources, stack: Stack) -> None:
    texts = [load(stack, f"waiting {number}.jpg") for number in range(100)]
    down(place, purge=False)
    again = up(place, sources)
    wait_for(lambda: is_idle(place))

    assert set(texts) <= {call["image"] for call in calls(again.stack)}


def test_no_process_outlives_a_stop(place: Place, sources: Sources) -> None:
    pid = up(place, sources).run.pid
    down(place, purge=False)

    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    assert not place.scratch.exists()


def test_it_comes_back_on_another_port_with_all_it_held(place: Place, sources: Sources, stack: Stack) -> None:
    upload(stack, "moved.jpg")
    down(place, purge=False)
    with closing(socket.socket()) as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # it has hardly let go of it
        owner.bind(("127.0.0.1", _port(stack)))
        owner.listen()
        again = up(place, sources)
        assert again.run.port != _port(stack)
        assert "moved.jpg" in objects(again.stack)
        image = upload(again.stack, "after the move.jpg")
        text = load(again.stack, "also after the move.jpg")

        assert wait_for(lambda: call_for(again.stack, image))
        assert wait_for(lambda: [call for call in calls(again.stack) if call["image"] == text])
        assert f":{_port(stack)}" not in json.dumps([again.stack.outputs(), variables(again.stack)])
        assert up(place, sources).changed is False


def test_a_stack_that_was_killed_comes_back_with_all_that_it_acknowledged(
    place: Place, sources: Sources, stack: Stack
) -> None:
    """Objects, records, deleted records, and messages of a caller and of S3; the second time as well."""
    image = upload(stack, "recorded before the kill.jpg")
    wait_for(lambda: call_for(stack, image))
    dynamodb = client("dynamodb", stack.endpoint_url)
    for name in ("pinned", "deleted"):
        dynamodb.put_item(TableName=stack.table_name, Item=_item(name))
    dynamodb.delete_item(TableName=stack.table_name, Key={"image": {"S": "deleted"}})
    Deployment.at(str(stack.endpoint_url)).listen(to_queues=False)
    waiting, sent = upload(stack, "waits for the kill.jpg"), load(stack, "sent before the kill.jpg")
    wait_for(lambda: (counts := status(place).uploads) and counts.waiting)
    for _ in range(2):
        kill(place)
        assert life_of(place) is Life.DIED
        again = up(place, sources)

        assert again.before is Life.DIED
        assert again.recovered.items >= 3
        assert again.recovered.messages >= 3
        assert {"recorded before the kill.jpg", "waits for the kill.jpg"} <= objects(again.stack)
        assert call_for(again.stack, image)
        wait_for(lambda: call_for(again.stack, waiting))  # noqa: B023 - called at once
        wait_for(lambda: sent in {call["image"] for call in calls(again.stack)})  # noqa: B023 - called at once
        names = {call["image"] for call in calls(again.stack)}
        assert "pinned" in names
        assert "deleted" not in names
    assert wait_for(lambda: call_for(again.stack, upload(again.stack, "after the kill.jpg")))


def _item(name: str) -> dict[str, dict[str, str]]:
    """Return an item as the tagging function of these tests writes them, which names no image."""
    return {key: {"S": name} for key in ("image", "queue", "code")}


def test_a_first_start_that_was_killed_is_not_in_the_way_of_the_next(tmp_path: Path, sources: Sources) -> None:
    place = Place(tmp_path / "local")
    try:
        up(place, sources)
        kill(place)
        (place.state / "cloudformation.json").unlink()  # as if it had never been stopped

        assert up(place, sources).changed
    finally:
        down(place, purge=True)


def test_a_template_that_cannot_be_deployed_says_which_resource_and_the_next_one_is(
    tmp_path: Path, sources: Sources
) -> None:
    place, text = Place(tmp_path / "local"), TEMPLATE.read_text(encoding="utf-8")
    broken = tmp_path / "template.yaml"
    broken.write_text(text.replace("Queue: !GetAtt UploadsQueue.Arn", "Queue: arn:aws:sqs:us-east-1:000000000000:no"))
    try:
        with pytest.raises(DeployerError, match=r"ROLLBACK.*: ImagesBucket: .*"):
            up(place, Sources(broken, sources.root, sources.model_dir))
        assert life_of(place) is Life.NONE

        assert up(place, sources).changed
    finally:
        down(place, purge=True)


def test_further_buckets_become_readable_by_the_tagging_function(tmp_path: Path, sources: Sources) -> None:
    place, text = Place(tmp_path / "local"), TEMPLATE.read_text(encoding="utf-8")
    template = tmp_path / "template.yaml"
    for name, value in (
        ("CatalogueBucket1", "shop-one"),
        ("CataloguePrefix1", "photos/"),
        ("CatalogueBucket2", "shop-two"),
    ):
        text, replaced = re.subn(rf'(?m)^(  {name}: .*Default: )""', rf"\g<1>{value}", text)
        assert replaced == 1
    template.write_text(text)
    try:
        stack = up(place, Sources(template, sources.root, sources.model_dir)).stack
        function = client("lambda", stack.endpoint_url).get_function_configuration(FunctionName=stack.tag_function_name)
        iam, role = client("iam", stack.endpoint_url), function["Role"].rsplit("/", 1)[-1]
        arns = [
            attached["PolicyArn"] for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        ]
        [arn] = [arn for arn in arns if "CataloguePolicy" in arn]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        policy = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    finally:
        down(place, purge=True)

    assert {statement["Action"]: statement["Resource"] for statement in policy["Statement"]} == {
        "s3:GetObject": ["arn:aws:s3:::shop-one/photos/*", "arn:aws:s3:::shop-two/*"],
        "s3:ListBucket": ["arn:aws:s3:::shop-one", "arn:aws:s3:::shop-two"],
    }


def test_a_purge_forgets_everything(tmp_path: Path, sources: Sources) -> None:
    place = Place(tmp_path / "local")
    try:
        upload(up(place, sources).stack, "forgotten.jpg")
    finally:
        assert down(place, purge=True) is Life.UP

    assert life_of(place) is Life.NONE
    assert not place.folder.exists()


# ---- The real functions ----------------------------------------------------------------------------------------------


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Place]:
    """A place that refuses what the roles do not allow."""
    place = Place(tmp_path / "local", checks_permissions=True)
    try:
        yield place
    finally:
        down(place, purge=True)


def real_up(place: Place, model: Path, tmp_path: Path, before: str = "", after: str = "") -> Up:
    """Deploy the real functions, with a change to the template.

    The statements that refuse unencrypted connections are made void: there are no others on this machine.
    """
    text = TEMPLATE.read_text(encoding="utf-8").replace('aws:SecureTransport: "false"', 'aws:SecureTransport: "void"')
    assert before in text
    template = tmp_path / "template.yaml"
    template.write_text(text.replace(before, after) if before else text)
    return up(place, Sources(template, ROOT, model))


def test_the_roles_allow_all_that_the_functions_do(strict: Place, real_model: Path, tmp_path: Path) -> None:
    stack = real_up(strict, real_model, tmp_path).stack
    s3 = client("s3", stack.endpoint_url)
    for key in ("red.jpg", "gone.jpg"):
        s3.put_object(Bucket=stack.images_bucket, Key=key, Body=jpeg("red"))
    s3.delete_object(Bucket=stack.images_bucket, Key="gone.jpg")
    table = DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name)
    wait_for(lambda: is_idle(strict))

    found = {record.observation.image.key: type(record) for record in table.scan()}
    assert found == {"red.jpg": TaggedImage, "gone.jpg": GoneImage}
    for _ in range(2):  # the second finds the first
        answer = client("lambda", stack.endpoint_url).invoke(FunctionName=stack.export_function_name, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()


def test_one_permission_less_is_too_few(strict: Place, real_model: Path, tmp_path: Path) -> None:
    """Proof that permissions are checked at all in the test above."""
    before, after = "[dynamodb:BatchGetItem, dynamodb:PutItem]", "dynamodb:BatchGetItem"
    stack = real_up(strict, real_model, tmp_path, before, after).stack
    client("s3", stack.endpoint_url).put_object(Bucket=stack.images_bucket, Key="red.jpg", Body=jpeg("red"))
    wait_for(lambda: "AccessDenied" in strict.log.read_text())

    assert not list(DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name).scan())


def _port(stack: Stack) -> int:
    return int(str(stack.endpoint_url).rsplit(":", 1)[-1])
