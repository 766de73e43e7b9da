"""Who may do what: each role holds what its function does and no more, and nobody else is let in.

Roles are written out, since the policies that SAM manages allow more (DECISIONS.md, 46).
"""

from __future__ import annotations

import pytest

from infra.package import TEMPLATE
from tests.infra.template_parts import (
    BUCKETS,
    NO_VALUE,
    QUEUES,
    as_deployed,
    as_list,
    functions,
    names_in,
    properties,
    statements,
    whole,
)

TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}
READERS = {"TagFunctionRole", "ClassifyFunctionRole"}  # of photos
ON_EVERYTHING = {"TracesPolicy"}  # with its reason beside it


def test_every_function_has_a_role_written_here() -> None:
    """A role that SAM writes may receive from every queue of the account."""
    for function in functions().values():
        role = whole()["Resources"][function["Role"]["Fn::GetAtt"][0]]
        assert role["Type"] == "AWS::IAM::Role"
        assert set(map(policy_of, role["Properties"]["ManagedPolicyArns"])) <= set(CONDITION_OF)


def test_nothing_is_allowed_on_everything_without_a_reason() -> None:
    for name, statement in statements():
        if statement["Effect"] == "Allow":
            assert "*" not in as_list(statement["Resource"]) or name in ON_EVERYTHING, name
            assert not [action for action in as_list(statement["Action"]) if "*" in action], name
            assert statement.get("Principal") != "*", name


def test_the_reason_for_every_star_stands_beside_it() -> None:
    stars = [line.strip() for line in TEMPLATE.read_text(encoding="utf-8").splitlines() if ': "*"' in line]

    assert stars
    assert [line for line in stars if "  # " not in line] == []


CONDITION_OF = {
    "TracesPolicy": "TracesCalls",
    "KeyPolicy": "HasKey",
    "CataloguePolicy": "HasCatalogue",
    "ModelPolicy": "HasModelUri",
    "HeadsPolicy": "HasHeadsUri",
}


def policy_of(attached: dict) -> str:
    """Return the policy that a role has under that policy's own condition."""
    condition, policy, otherwise = attached["Fn::If"]
    assert (condition, otherwise) == (CONDITION_OF[policy["Ref"]], NO_VALUE)
    assert whole()["Resources"][policy["Ref"]]["Condition"] == condition
    return str(policy["Ref"])


def roles_with(policy: str) -> set[str]:
    """Return the roles that have the policy where its condition holds."""
    roles = {function["Role"]["Fn::GetAtt"][0] for function in functions().values()}
    return {role for role in roles if policy in map(policy_of, properties(role)["ManagedPolicyArns"])}


def allowed(role: str) -> dict[str, set[str]]:
    """Return the resources, by the names in them, that each action of a role is allowed on."""
    found: dict[str, set[str]] = {}
    for name, statement in statements():
        if name == role:
            for action in as_list(statement["Action"]):
                found.setdefault(action, set()).update(names_in(statement["Resource"]) - {"Arn"})
    return found


def test_further_buckets_may_only_be_read() -> None:
    assert roles_with("CataloguePolicy") == READERS | {"DeskFunctionRole", "PictureFunctionRole"}  # which show photos
    assert set(allowed("CataloguePolicy")) == {"s3:GetObject", "s3:ListBucket"}


def test_a_shared_bucket_may_be_read_below_its_prefix_alone(aws_environment: None) -> None:
    made = as_deployed(CatalogueBucket1="whole", CatalogueBucket3="shared", CataloguePrefix3="photos/")
    read, listed = made["CataloguePolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert [each["Fn::Sub"] for each in read["Resource"]] == [
        "arn:${AWS::Partition}:s3:::${CatalogueBucket1}/${CataloguePrefix1}*",
        "arn:${AWS::Partition}:s3:::${CatalogueBucket3}/${CataloguePrefix3}*",
    ]
    assert [each["Fn::Sub"] for each in listed["Resource"]] == [
        "arn:${AWS::Partition}:s3:::${CatalogueBucket1}",
        "arn:${AWS::Partition}:s3:::${CatalogueBucket3}",
    ]


def test_a_model_elsewhere_may_only_be_read_at_its_address() -> None:
    assert roles_with("ModelPolicy") == roles_with("HeadsPolicy") == READERS
    assert set(allowed("ModelPolicy")) == {"s3:GetObject"}
    resource = properties("ModelPolicy")["PolicyDocument"]["Statement"][0]["Resource"]["Fn::Sub"]
    assert resource[0] == "arn:${AWS::Partition}:s3:::${Place}/*"
    assert resource[1]["Place"]["Fn::Select"][1] == {"Fn::Split": ["s3://", {"Ref": "ModelUri"}]}


def test_a_key_may_be_used_by_who_reads_or_writes_what_it_encrypts() -> None:
    of_data = ("s3:GetObject", "s3:PutObject", "sqs:SendMessage", "sqs:ReceiveMessage")
    roles = {function["Role"]["Fn::GetAtt"][0] for function in functions().values()}

    assert roles_with("KeyPolicy") == {role for role in roles if set(of_data) & set(allowed(role))}
    assert set(allowed("KeyPolicy")) == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_where_calls_are_traced_each_role_may_write_traces_before_its_function_is_made(aws_environment: None) -> None:
    """AWS Lambda refuses active tracing where the role has no such right yet; a role waits for its policies."""
    made = as_deployed(Traces="true")
    traced = {name: each for name, each in made.items() if each["Type"] == "AWS::Lambda::Function"}

    assert set(allowed("TracesPolicy")) == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    assert len(traced) >= 8
    for function in traced.values():
        assert function["Properties"]["TracingConfig"] == {"Mode": "Active"}
        role = made[function["Properties"]["Role"]["Fn::GetAtt"][0]]
        assert {"Ref": "TracesPolicy"} in role["Properties"]["ManagedPolicyArns"]
    assert "TracesPolicy" not in as_deployed()


def test_the_timer_may_start_the_export_and_nothing_else() -> None:
    assert allowed("ExportTimerRole") == {
        "lambda:InvokeFunction": {"ExportFunction"},
        "states:StartExecution": {"ExportSteps"},
    }
    assert allowed("ExportStepsRole") == {"lambda:InvokeFunction": {"ExportFunction"}}


def test_a_job_of_s3_batch_operations_may_read_its_bucket_report_there_and_call_its_function(
    aws_environment: None,
) -> None:
    role = as_deployed(InventoryBucket="lists")["BatchJobRole"]["Properties"]
    [trusted] = role["AssumeRolePolicyDocument"]["Statement"]
    let = {
        name: s["Resource"] for s in role["Policies"][0]["PolicyDocument"]["Statement"] for name in as_list(s["Action"])
    }

    assert trusted["Principal"] == {"Service": "batchoperations.s3.amazonaws.com"}
    assert let == {
        "s3:GetObject": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${InventoryBucket}/*"},
        "s3:GetObjectVersion": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${InventoryBucket}/*"},
        "s3:PutObject": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${InventoryBucket}/batch-reports/*"},
        "lambda:InvokeFunction": {"Fn::GetAtt": ["BatchJobFunction", "Arn"]},
    }
    assert "BatchJobRole" not in as_deployed()


@pytest.mark.parametrize("place", [*BUCKETS, *QUEUES, *QUEUES.values()])
def test_buckets_and_queues_refuse_connections_that_are_not_encrypted(place: str) -> None:
    refusing = [
        properties(name)
        for name, statement in statements()
        if statement["Effect"] == "Deny" and statement.get("Condition") == TLS_ONLY and statement["Principal"] == "*"
    ]

    assert any({"Ref": place} in [held.get("Bucket"), *held.get("Queues", ())] for held in refusing)


def senders() -> dict[str, dict]:
    """Return what lets somebody send to the uploads queue, by the service it lets."""
    let = [s for name, s in statements() if name == "UploadsQueuePolicy" and s["Effect"] == "Allow"]
    return {statement["Principal"]["Service"]: statement for statement in let}


def test_the_images_bucket_of_this_account_may_send_to_the_uploads_queue() -> None:
    bucket_name = properties("ImagesBucket")["BucketName"]["Fn::Sub"]

    assert senders()["s3.amazonaws.com"]["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:s3:::" + bucket_name}},
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }


def test_the_rule_of_the_catalogues_buckets_may_send_to_the_uploads_queue_and_nobody_else_may() -> None:
    assert set(senders()) == {"s3.amazonaws.com", "events.amazonaws.com"}
    assert senders()["events.amazonaws.com"]["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["CatalogueEvents", "Arn"]}}
    }


def test_the_bucket_waits_for_the_policy_that_lets_it_send() -> None:
    assert whole()["Resources"]["ImagesBucket"]["DependsOn"] == "UploadsQueuePolicy"
    assert "ImagesBucket" not in names_in(whole()["Resources"]["UploadsQueuePolicy"])


def test_only_the_two_buckets_may_log_into_the_bucket_of_logs() -> None:
    let = [s for name, s in statements() if name == "AccessLogsBucketPolicy" and s["Effect"] == "Allow"]

    assert [s["Principal"] for s in let] == [{"Service": "logging.s3.amazonaws.com"}]
    logged = [{"Fn::GetAtt": [bucket, "Arn"]} for bucket in ("ImagesBucket", "ExportBucket")]
    assert let[0]["Condition"]["ArnEquals"] == {"aws:SourceArn": logged}
