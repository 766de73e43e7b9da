"""A stack's life on the embedded AWS: deployed, deployed again, changed, let watch a bucket, and taken down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pipeline.aws.clients import client
from pipeline.images import ImageRef
from pipeline.messages import decode
from tests.infra.local.scratch import calls, wait_for
from tests.infra.stack_account import Account

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.stack import Stack

pytestmark = pytest.mark.slow


@pytest.fixture
def account(ministack: str, tmp_path: Path) -> Account:
    return Account(ministack, tmp_path)


def asked(stack: Stack, image: ImageRef) -> Any:
    """Return the call that asked for a look at the image, once it has come."""
    return wait_for(lambda: [c for c in calls(stack) if image in [each.image for each in decode(c["image"])]])[0]


def put(account: Account, bucket: str, key: str) -> ImageRef:
    account.s3.put_object(Bucket=bucket, Key=key, Body=b"no picture")
    return ImageRef(bucket, key)


def test_deploying_twice_changes_nothing(account: Account) -> None:
    account.deploy()
    before = account.physical()
    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.deploy()

    assert account.physical() == before


def test_a_changed_parameter_changes_what_it_says_and_keeps_all_data(account: Account) -> None:
    stack = account.deploy()
    image = put(account, stack.images_bucket, "kept.jpg")
    asked(stack, image)
    before = account.physical()
    account.deploy(ExportPrefix="elsewhere", LogRetentionDays="7", Traces="true")
    functions = client("lambda", account.endpoint_url)
    exporting = functions.get_function_configuration(FunctionName=stack.export_function_name)

    assert exporting["Environment"]["Variables"]["EXPORT_PREFIX"] == "elsewhere/"
    assert exporting["TracingConfig"] == {"Mode": "Active"}
    assert {name: account.physical()[name] for name in before} == before
    assert asked(stack, image)
    assert account.s3.get_object(Bucket=image.bucket, Key=image.key)["Body"].read() == b"no picture"


def test_a_bucket_of_somebody_else_is_watched_once_it_tells_eventbridge(account: Account) -> None:
    """The two commands of the runbook: name the bucket to the stack, and let the bucket tell."""
    theirs = f"{account.name}-theirs"
    account.s3.create_bucket(Bucket=theirs)
    stack = account.deploy(CatalogueBucket1=theirs)
    account.s3.put_bucket_notification_configuration(
        Bucket=theirs, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    image = put(account, theirs, "summer 2026/naïve+chic 100%.jpg")

    assert asked(stack, image)["queue"] == f"{account.name}-uploads"
    account.s3.delete_object(Bucket=theirs, Key=image.key)
    assert wait_for(lambda: [call for call in calls(stack) if "Object Deleted" in call["image"]])


def test_a_bucket_that_is_not_named_is_not_watched(account: Account) -> None:
    mine, other = f"{account.name}-mine", f"{account.name}-other"
    stack = account.deploy(CatalogueBucket1=mine)
    for bucket in (mine, other):
        account.s3.create_bucket(Bucket=bucket)
        account.s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    put(account, other, "a.jpg")
    asked(stack, put(account, mine, "b.jpg"))

    assert not [call for call in calls(stack) if other in call["image"]]


def test_tearing_down_keeps_photos_records_and_export(account: Account) -> None:
    stack = account.deploy()
    image = put(account, stack.images_bucket, "kept.jpg")
    asked(stack, image)
    put(account, stack.export_bucket, "export/latest.json")
    account.tear_down()

    for bucket, key in ((stack.images_bucket, "kept.jpg"), (stack.export_bucket, "export/latest.json")):
        assert account.s3.head_object(Bucket=bucket, Key=key)
    assert calls(stack)
    with pytest.raises(ClientError, match=r"NonExistentQueue|does not exist"):
        client("sqs", account.endpoint_url).get_queue_attributes(QueueUrl=stack.uploads_queue_url)


def test_the_table_refuses_to_be_deleted_until_it_is_told_otherwise(account: Account) -> None:
    stack = account.deploy()
    dynamodb = client("dynamodb", account.endpoint_url)
    account.tear_down()
    with pytest.raises(ClientError, match=r"(?i)protect"):
        dynamodb.delete_table(TableName=stack.table_name)
    dynamodb.update_table(TableName=stack.table_name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=stack.table_name)

    assert stack.table_name not in dynamodb.list_tables()["TableNames"]
