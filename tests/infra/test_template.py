"""The template says what the rest of the project relies on, and AWS would take it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from infra.package import PACKAGES, ROOT, TEMPLATE, with_code
from infra.wheels import PYTHON_VERSION
from pipeline import table_layout
from pipeline.errors import BadSettings
from pipeline.settings import ExportSettings, TaggingSettings
from pipeline.stack import STACK_NAME, Stack
from tagging_lambda.classification_cache import LEAST_TIME_S
from tagging_lambda.disposition import BUG_RECEIVES, BackOff
from tagging_lambda.image.reader import IMAGE_LIMIT_S
from tests.infra.template_parts import (
    BUCKETS,
    QUEUES,
    as_deployed,
    default,
    functions,
    lint,
    number,
    of_type,
    properties,
    sam_transformed,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAST_VISIBILITY_FACTOR = 6  # times the function's timeout, as AWS recommends, and the batching window
THROTTLED_HOUR_S = 3600  # that long, a throttle takes no message to the dead letters
FOURTEEN_DAYS_S = 14 * 24 * 3600
STREAM_DAY_S = 24 * 3600  # after which Amazon DynamoDB forgets a change
LONGEST_BUCKET_NAME = 63  # the most Amazon S3 permits
LONGEST_STACK_NAME = 20  # as the template says
DATA = ("ImagesBucket", "ExportBucket", "Table")


@pytest.fixture
def transformed(aws_environment: None) -> Callable[..., dict[str, Any]]:
    """Returns what SAM makes of the template's text with these parameters, its code being somewhere in S3."""

    def make(text: str, **parameters: str) -> dict[str, Any]:
        placed = with_code(text, {package.function: f"s3://some-bucket/{package.function}.zip" for package in PACKAGES})
        return sam_transformed(placed, **parameters)

    return make


# ---- What AWS itself would say ---------------------------------------------------------------------------------------


def test_the_linter_finds_no_fault() -> None:
    assert lint(TEMPLATE) == ""


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_the_linter_finds_no_fault_in_what_sam_makes_of_it(transformed, tmp_path: Path, architecture: str) -> None:
    path = tmp_path / "transformed.json"
    path.write_text(json.dumps(transformed(TEMPLATE.read_text(encoding="utf-8"), Architecture=architecture)))

    assert lint(path) == ""


def test_the_linter_would_find_faults_in_what_sam_makes_of_it(transformed, tmp_path: Path) -> None:
    """It sees through SAM's words only there."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for before, after in (
        ("MaximumConcurrency: !Ref UploadsConcurrency\n", "MaximumConcurrency: 1\n"),
        ("BatchSize: !Ref BackfillBatchSize\n", "BatchSize: 10001\n"),
        ("VisibilityTimeout: 720 ", "VisibilityTimeout: 30 "),
    ):
        assert before in text
        text = text.replace(before, after)
    made = transformed(text)
    # Of all else it would find faults too, or none, but that takes seconds.
    kinds = ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::SQS::Queue")
    made["Resources"] = {name: each for name, each in made["Resources"].items() if each["Type"] in kinds}
    path = tmp_path / "transformed.json"
    path.write_text(json.dumps(made))
    found = lint(path)

    assert "1 is less than the minimum of 2" in found
    assert "10001 is greater than the maximum of 10000" in found
    assert "Queue visibility timeout (30) is less than Function timeout" in found


# ---- Parameters ------------------------------------------------------------------------------------------------------


def test_every_parameter_has_a_default_says_what_it_does_and_refuses_nonsense() -> None:
    limits = {"AllowedValues", "AllowedPattern", "MinValue"}
    without_limit = {name for name, each in whole()["Parameters"].items() if not limits & set(each)}

    assert without_limit == {"ProductPattern"}  # any regular expression
    for name, parameter in whole()["Parameters"].items():
        assert "Default" in parameter, name
        assert parameter["Description"].endswith("."), name


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("CatalogueBucket1", ["", "a-bucket", "my.photos"], ["A_Bucket", "bucket/", "bucket/prefix", "-a", "b"]),
        ("CatalogueRegion1", ["", "eu-west-1", "us-gov-west-1"], ["Frankfurt", "eu", "eu-west-1,us-east-1"]),
        ("CataloguePrefix1", ["", "photos/", "a/b_c/d.e"], ["a*", "a b", 'a"']),
        ("AlarmAddress", ["", "shop@example.org"], ["shop", "a b@c", "@", "a@"]),
        ("ModelUri", ["", f"s3://models/resnet/{'0a' * 32}", f"s3://m/{'f' * 64}"], ["s3://m", f"s3://m/{'f' * 63}"]),
        ("ExportSchedule", ["rate(1 hour)", "cron(0 3 * * ? *)"], ["hourly", "rate()"]),
        ("ExportPrefix", ["export", "a/b"], ["/export", "export/", "a//b", ""]),
    ],
)
def test_a_parameter_takes_what_is_meant_and_nothing_else(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = re.compile(whole()["Parameters"][parameter]["AllowedPattern"])

    assert [text for text in good if not pattern.fullmatch(text)] == []
    assert [text for text in bad if pattern.fullmatch(text)] == []


# ---- Queues and the function that reads them -------------------------------------------------------------------------


def mappings() -> dict[str, dict[str, Any]]:
    """Return how the function reads each queue."""
    events = properties("TagFunction")["Events"].values()
    return {event["Properties"]["Queue"]["Fn::GetAtt"][0]: event["Properties"] for event in events}


@pytest.mark.parametrize("queue", QUEUES)
def test_a_message_stays_invisible_six_times_as_long_as_a_batch_may_take(queue: str) -> None:
    window_s = mappings()[queue].get("MaximumBatchingWindowInSeconds", 0)
    least_s = LEAST_VISIBILITY_FACTOR * properties("TagFunction")["Timeout"] + window_s

    assert properties(queue)["VisibilityTimeout"] >= least_s


@pytest.mark.parametrize(("queue", "dead_letters"), QUEUES.items())
def test_an_hour_of_throttling_never_makes_a_dead_letter(queue: str, dead_letters: str) -> None:
    redrive = properties(queue)["RedrivePolicy"]
    shortest = BackOff(random=lambda: 0.0)
    waits_s = itertools.accumulate(shortest.wait_s(receives) for receives in itertools.count(1))
    receives_in_an_hour = sum(1 for _ in itertools.takewhile(lambda waited_s: waited_s < THROTTLED_HOUR_S, waits_s)) + 1

    assert receives_in_an_hour == 15
    assert redrive["maxReceiveCount"] >= 2 * receives_in_an_hour > 2 * BUG_RECEIVES
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [dead_letters, "Arn"]}
    allowed = properties(dead_letters)["RedriveAllowPolicy"]
    assert allowed["redrivePermission"] == "byQueue"
    name = properties(queue)["QueueName"]["Fn::Sub"]
    assert [source["Fn::Sub"].rsplit(":", 1)[-1] for source in allowed["sourceQueueArns"]] == [name.split(":")[-1]]


@pytest.mark.parametrize("queue", QUEUES)
def test_the_largest_batch_of_the_worst_images_is_through_before_its_messages_are_dead(queue: str) -> None:
    """A call begins no image in its last ``LEAST_TIME_S``; what it did not begin comes again, one receive older."""
    working_s = properties("TagFunction")["Timeout"] - LEAST_TIME_S
    images_of_a_call = working_s // IMAGE_LIMIT_S
    largest = whole()["Parameters"][mappings()[queue]["BatchSize"]["Ref"]]["MaxValue"]

    assert images_of_a_call >= 1
    assert largest / images_of_a_call <= properties(queue)["RedrivePolicy"]["maxReceiveCount"] / 2


@pytest.mark.parametrize("queue", [*QUEUES, *QUEUES.values()])
def test_a_queue_keeps_its_messages_encrypted_for_fourteen_days(queue: str, aws_environment: None) -> None:
    assert as_deployed()[queue]["Properties"]["SqsManagedSseEnabled"] is True
    assert properties(queue)["MessageRetentionPeriod"] == FOURTEEN_DAYS_S


def test_uploads_come_in_small_batches_at_once_and_a_backfill_in_large_ones() -> None:
    sizes = {queue: number(mapping["BatchSize"]) for queue, mapping in mappings().items()}
    windows_s = {queue: mapping.get("MaximumBatchingWindowInSeconds", 0) for queue, mapping in mappings().items()}

    assert sizes == {"UploadsQueue": 10, "BackfillQueue": 50}
    assert windows_s == {"UploadsQueue": 0, "BackfillQueue": 1}  # s; above ten messages there must be one


def test_a_message_that_fails_brings_none_of_its_batch_back() -> None:
    assert all(mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for mapping in mappings().values())


def test_exactly_what_the_two_mappings_may_ask_for_is_reserved_whatever_is_chosen() -> None:
    reserved = properties("TagFunction")["ReservedConcurrentExecutions"]["Fn::If"]
    table, *keys = reserved[1]["Fn::FindInMap"]
    assert keys == [mappings()[queue]["ScalingConfig"]["MaximumConcurrency"] for queue in QUEUES]
    chosen = [map(int, whole()["Parameters"][key["Ref"]]["AllowedValues"]) for key in keys]

    assert {(int(a), int(b)): total for a, row in whole()["Mappings"][table].items() for b, total in row.items()} == {
        (uploads, backfill): uploads + backfill for uploads, backfill in itertools.product(*chosen)
    }


def test_what_is_put_into_other_buckets_reaches_the_uploads_queue() -> None:
    rule = whole()["Resources"]["CatalogueEvents"]

    assert rule["Condition"] == "HasCatalogue"
    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {
            "$or": [
                {
                    "bucket": {"name": [{"Ref": f"CatalogueBucket{slot}"}]},
                    "object": {"key": [{"prefix": {"Ref": f"CataloguePrefix{slot}"}}]},
                }
                for slot in (1, 2, 3, 4)
            ]
        },
    }
    assert [target["Arn"] for target in rule["Properties"]["Targets"]] == [{"Fn::GetAtt": ["UploadsQueue", "Arn"]}]


# ---- Buckets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", BUCKETS)
def test_no_bucket_is_public(bucket: str) -> None:
    held = properties(bucket)

    assert set(held["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(held["PublicAccessBlockConfiguration"]) == 4
    assert held["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert held["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "AccessControl" not in held


@pytest.mark.parametrize("bucket", BUCKETS)
def test_no_bucket_pays_for_what_nobody_can_see(bucket: str) -> None:
    rules = properties(bucket)["LifecycleConfiguration"]["Rules"]

    assert [rule for rule in rules if rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule]


def test_who_reads_a_bucket_is_logged_for_a_while() -> None:
    for bucket in ("ImagesBucket", "ExportBucket"):
        assert properties(bucket)["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": "AccessLogsBucket"}
    rules = properties("AccessLogsBucket")["LifecycleConfiguration"]["Rules"]

    assert {"Ref": "AccessLogDays"} in [rule.get("ExpirationInDays") for rule in rules]


def test_everything_that_happens_to_a_photo_reaches_the_uploads_queue() -> None:
    configurations = properties("ImagesBucket")["NotificationConfiguration"]["QueueConfigurations"]

    assert {each["Event"] for each in configurations} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:LifecycleExpiration:*",
    }
    assert all(each["Queue"] == {"Fn::GetAtt": ["UploadsQueue", "Arn"]} for each in configurations)


@pytest.mark.parametrize("bucket", ["ImagesBucket", "ExportBucket"])
def test_a_bucket_name_is_short_enough_in_every_region(bucket: str) -> None:
    name = properties(bucket)["BucketName"]["Fn::Sub"]
    longest = name.replace("${AWS::StackName}", "x" * LONGEST_STACK_NAME).replace("${AWS::AccountId}", "1" * 12)

    assert len(longest.replace("${AWS::Region}", "ap-southeast-2")) <= LONGEST_BUCKET_NAME
    assert len(STACK_NAME) <= LONGEST_STACK_NAME


# ---- The table -------------------------------------------------------------------------------------------------------


def test_the_table_is_keyed_as_the_records_are_laid_out() -> None:
    table = properties("Table")
    index, by_reason = table["GlobalSecondaryIndexes"]

    assert table["KeySchema"] == [{"AttributeName": table_layout.IMAGE, "KeyType": "HASH"}]
    assert index["IndexName"] == table_layout.PRODUCT_INDEX
    assert index["KeySchema"] == [
        {"AttributeName": table_layout.PRODUCT, "KeyType": "HASH"},
        {"AttributeName": table_layout.IMAGE, "KeyType": "RANGE"},
    ]
    assert by_reason["IndexName"] == table_layout.REASON_INDEX
    assert by_reason["KeySchema"] == [
        {"AttributeName": table_layout.REASON, "KeyType": "HASH"},
        {"AttributeName": table_layout.IMAGE, "KeyType": "RANGE"},
    ]
    projected = {table_layout.LONG_IMAGE, table_layout.PRODUCT, table_layout.DETAIL}
    assert set(by_reason["Projection"]["NonKeyAttributes"]) == projected
    assert table["TimeToLiveSpecification"] == {"AttributeName": table_layout.EXPIRES_AT, "Enabled": True}


def test_the_table_can_be_brought_back_is_not_deleted_by_mistake_and_tells_its_changes() -> None:
    table = properties("Table")

    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_a_batch_of_the_stream_that_fails_is_halved_and_named_before_the_stream_forgets_it() -> None:
    events = [event for function in functions().values() for event in function.get("Events", {}).values()]
    readers = [event["Properties"] for event in events if event["Type"] == "DynamoDB"]
    failures = {"OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": ["StreamFailuresQueue", "Arn"]}}}

    assert len(readers) == len(("ChangesFunction", "NotifyFunction"))
    for reader in readers:
        assert reader["BisectBatchOnFunctionError"] is True
        assert reader["MaximumRecordAgeInSeconds"] < STREAM_DAY_S
        assert reader["DestinationConfig"] == failures


@pytest.mark.parametrize("place", DATA)
def test_data_outlives_the_stack(place: str) -> None:
    assert whole()["Resources"][place]["DeletionPolicy"].startswith("Retain")
    assert whole()["Resources"][place]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("place", DATA)
def test_a_first_deployment_that_failed_leaves_nothing_in_the_way_of_the_second(place: str) -> None:
    """What has a name of its own goes; what refuses to be deleted has none, so the second is called otherwise."""
    named = {"BucketName", "TableName"} & set(properties(place))
    protected = properties(place).get("DeletionProtectionEnabled", False)

    assert bool(named) is not protected
    assert whole()["Resources"][place]["DeletionPolicy"] == ("Retain" if protected else "RetainExceptOnCreate")


# ---- Functions -------------------------------------------------------------------------------------------------------


def test_every_deployed_function_is_in_the_template_and_no_other() -> None:
    handlers = {f"{path.parent.name}.{path.stem}.handler" for path in ROOT.glob("*/lambda_*.py")}

    assert {function["Handler"] for function in functions().values()} == handlers


def test_every_function_has_its_package() -> None:
    assert {name: function["CodeUri"] for name, function in functions().items()} == {
        package.function: package.code_uri for package in PACKAGES
    }


def test_functions_run_on_the_python_and_the_processor_that_their_libraries_are_built_for() -> None:
    shared = whole()["Globals"]["Function"]

    assert shared["Runtime"] == f"python{PYTHON_VERSION}"
    assert shared["Architectures"] == [{"Ref": "Architecture"}]
    assert default("Architecture") == "x86_64"


@pytest.mark.parametrize(
    ("function", "settings"), [("TagFunction", TaggingSettings), ("ExportFunction", ExportSettings)]
)
def test_every_variable_is_known_to_the_settings_and_none_that_is_needed_is_missing(
    function: str, settings: type
) -> None:
    shared = dict(whole()["Globals"]["Function"]["Environment"]["Variables"])
    assert shared.pop("ORT_DISABLE_TELEMETRY") == "1"  # onnxruntime reads it, not we
    assert shared.pop("OPENBLAS_NUM_THREADS") == "1"  # numpy reads it
    variables = shared | properties(function)["Environment"]["Variables"]

    asked: set[str] = set()

    class Asked(dict):
        def __getitem__(self, name: str) -> str:
            asked.add(name)
            return super().__getitem__(name)

        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    given = {name: "https://host/1/name" if name.endswith("_URL") else "given" for name in variables}
    given |= {name: "1" for name in variables if name == "EXPORT_SEGMENTS"}
    settings.from_environment(Asked(given | {name: "" for name in variables if name == "PRODUCT_PATTERN"}))

    assert set(variables) <= asked


def test_the_function_knows_the_dead_letter_queue_of_each_queue() -> None:
    variables = properties("TagFunction")["Environment"]["Variables"]

    for prefix, queue in (("UPLOADS", "UploadsQueue"), ("BACKFILL", "BackfillQueue")):
        assert variables[f"{prefix}_QUEUE_URL"] == {"Ref": queue}
        assert variables[f"{prefix}_DEAD_LETTER_QUEUE_URL"] == {"Ref": QUEUES[queue]}


def test_settings_refuse_to_start_without_what_the_template_gives() -> None:
    for settings in (TaggingSettings, ExportSettings):
        with pytest.raises(BadSettings):
            settings.from_environment({})


def test_logs_are_kept_for_a_while_and_no_longer() -> None:
    groups = of_type("AWS::Logs::LogGroup")

    assert {function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions().values()} <= set(groups)
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


RESERVED = "ReservedConcurrentExecutions"


def test_an_account_that_can_reserve_nothing_is_asked_for_no_reservation_at_all(aws_environment: None) -> None:
    reserving = {name for name, each in as_deployed().items() if RESERVED in each["Properties"]}
    left = as_deployed(ReserveConcurrency="false")

    assert reserving == {"TagFunction", "ExportFunction"}
    assert [name for name, each in left.items() if RESERVED in json.dumps(each)] == []


def test_what_only_the_page_uses_is_made_only_where_there_is_a_page(aws_environment: None) -> None:
    with_page = as_deployed(ApiAuthorization="JWT", JwtIssuer="https://issuer.example", JwtAudience="page")
    alone = set(with_page) - set(as_deployed())

    assert {"WatchApi", "WatchFunction", "NotifyFunction", "PageFunction", "PageRoute"} <= alone
    assert not [name for name in alone if not re.match("Watch|Notify|Page|HttpApiAuthorizer", name)]
    for name, resource in as_deployed().items():
        assert not alone & set(re.findall(r"\w+", json.dumps(resource))), name


def test_a_key_encrypts_all_that_is_stored_and_waits(aws_environment: None) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/0a"
    made = as_deployed(KmsKeyArn=key)

    for queue in (*QUEUES, *QUEUES.values()):
        assert made[queue]["Properties"]["KmsMasterKeyId"] == key
        assert "SqsManagedSseEnabled" not in made[queue]["Properties"]
    for bucket in ("ImagesBucket", "ExportBucket"):
        [rule] = made[bucket]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}


def test_the_api_has_a_domain_of_its_own_only_where_one_is_named(aws_environment: None) -> None:
    certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/0a"
    made = as_deployed(DomainName="keywords.shop.example", CertificateArn=certificate)

    assert set(made) - set(as_deployed()) == {"ApiDomain", "ApiDomainMapping"}
    assert made["ApiDomain"]["Properties"]["DomainNameConfigurations"][0]["CertificateArn"] == certificate


def test_no_resource_name_holds_a_partition_of_its_own() -> None:
    assert "arn:aws:" not in TEMPLATE.read_text(encoding="utf-8")


def test_the_c_library_of_the_runtime_takes_the_memory_settings() -> None:
    """Before glibc 2.35 a threshold above half a heap, 32 MiB, is ignored; the runtime has 2.34."""
    variables = properties("ApiFunction")["Environment"]["Variables"]

    assert int(variables["MALLOC_MMAP_THRESHOLD_"]) <= 32 * 1024**2


def test_calls_are_traced_only_where_that_was_asked_for() -> None:
    assert whole()["Globals"]["Function"]["Tracing"] == {"Fn::If": ["TracesCalls", "Active", "PassThrough"]}
    assert default("Traces") == "false"


def test_the_export_starts_by_itself_and_never_twice_at_once_where_that_can_be_had(aws_environment: None) -> None:
    timer = properties("ExportTimer")

    assert timer["Target"]["Arn"] == {"Ref": "ExportSteps"}
    assert timer["ScheduleExpression"] == {"Ref": "ExportSchedule"}
    assert default("ExportSchedule") == "rate(1 hour)"
    reserved = as_deployed()["ExportFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert reserved == {"Fn::FindInMap": ["ExportConcurrency", "1", "Is"]}
    assert whole()["Mappings"]["ExportConcurrency"]["1"]["Is"] == 1


def test_an_export_in_segments_leaves_one_function_to_fold_meanwhile() -> None:
    concurrency = whole()["Mappings"]["ExportConcurrency"]
    stage = properties("ExportSteps")["Definition"]["States"]["Stages"]["ItemProcessor"]["States"]["Stage"]

    assert whole()["Parameters"]["ExportSegments"]["AllowedValues"] == list(concurrency)
    for segments, functions_at_once in concurrency.items():
        if segments != "1":
            assert functions_at_once["Is"] == min(int(segments), stage["MaxConcurrency"]) + 1


# ---- Outputs ---------------------------------------------------------------------------------------------------------


def test_the_outputs_are_what_commands_find_the_stack_by() -> None:
    assert set(Stack.output_names().values()) <= set(whole()["Outputs"])
    assert {field.name for field in dataclasses.fields(Stack)} == {*Stack.output_names(), "endpoint_url"}


def test_the_stack_says_which_version_it_is() -> None:
    assert whole()["Outputs"]["Version"]["Value"] == version("catalog-tagger")


def test_the_outputs_name_what_they_say() -> None:
    values = {name: output["Value"] for name, output in whole()["Outputs"].items()}

    assert values["UploadsQueueUrl"] == {"Ref": "UploadsQueue"}
    assert values["UploadsDeadLetterQueueUrl"] == {"Ref": "UploadsDeadLetterQueue"}
    assert values["BackfillQueueUrl"] == {"Ref": "BackfillQueue"}
    assert values["BackfillDeadLetterQueueUrl"] == {"Ref": "BackfillDeadLetterQueue"}
    assert values["ImagesBucket"] == {"Ref": "ImagesBucket"}
    assert values["ExportBucket"] == {"Ref": "ExportBucket"}
    assert values["TableName"] == {"Ref": "Table"}
    assert values["ProductIndexName"] == table_layout.PRODUCT_INDEX
    assert values["TagFunctionName"] == {"Ref": "TagFunction"}
    assert values["ExportFunctionName"] == {"Ref": "ExportFunction"}


def test_the_export_function_writes_where_the_output_says() -> None:
    variables = properties("ExportFunction")["Environment"]["Variables"]

    assert variables["EXPORT_PREFIX"] == whole()["Outputs"]["ExportPrefix"]["Value"]
    assert variables["EXPORT_BUCKET"] == whole()["Outputs"]["ExportBucket"]["Value"]


def test_code_is_all_that_deploying_changes() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    placed = with_code(text, {package.function: f"s3://some-bucket/{package.function}.zip" for package in PACKAGES})

    changed = [after for before, after in zip(text.splitlines(), placed.splitlines(), strict=True) if before != after]
    assert {line.strip() for line in changed} == {f"CodeUri: s3://some-bucket/{each.function}.zip" for each in PACKAGES}
