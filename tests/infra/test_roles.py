"""Who may do what: each role holds what its function does and no more, and nobody else is let in."""

from __future__ import annotations

import pytest

from infra.package import TEMPLATE
from tests.infra.template_parts import BUCKETS, QUEUES, as_list, functions, names_in, properties, statements, whole

TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}
LOOKERS = [{"Ref": "TagFunctionRole"}, {"Ref": "ClassifyFunctionRole"}]  # who looks at photos
ON_EVERYTHING = {"TracesPolicy"}  # with its reason beside it


def test_every_function_has_a_role_written_here() -> None:
    """A role that SAM writes may receive from every queue of the account."""
    for function in functions().values():
        role = whole()["Resources"][function["Role"]["Fn::GetAtt"][0]]
        assert role["Type"] == "AWS::IAM::Role"
        assert "ManagedPolicyArns" not in role["Properties"]


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


def allowed(role: str) -> dict[str, set[str]]:
    """Return the resources, by the names in them, that each action of a role is allowed on."""
    found: dict[str, set[str]] = {}
    for name, statement in statements():
        if name == role:
            for action in as_list(statement["Action"]):
                found.setdefault(action, set()).update(names_in(statement["Resource"]) - {"Arn"})
    return found


def test_further_buckets_may_only_be_read() -> None:
    policy = whole()["Resources"]["CatalogueBucketsPolicy"]

    assert policy["Condition"] == "HasCatalogueBuckets"
    assert policy["Properties"]["Roles"] == [*LOOKERS, {"Ref": "DeskFunctionRole"}]  # who shows them
    assert set(allowed("CatalogueBucketsPolicy")) == {"s3:GetObject", "s3:ListBucket"}


def test_a_model_elsewhere_may_only_be_read_at_its_address() -> None:
    policy = whole()["Resources"]["ModelPolicy"]

    assert policy["Condition"] == "HasModelUri"
    assert policy["Properties"]["Roles"] == LOOKERS
    assert set(allowed("ModelPolicy")) == {"s3:GetObject"}
    resource = policy["Properties"]["PolicyDocument"]["Statement"][0]["Resource"]["Fn::Sub"]
    assert resource[0] == "arn:${AWS::Partition}:s3:::${Place}/*"
    assert resource[1]["Place"]["Fn::Select"][1] == {"Fn::Split": ["s3://", {"Ref": "ModelUri"}]}


def test_traces_are_written_only_where_they_were_asked_for() -> None:
    assert whole()["Resources"]["TracesPolicy"]["Condition"] == "TracesCalls"
    assert set(allowed("TracesPolicy")) == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    roles = {function["Role"]["Fn::GetAtt"][0] for function in functions().values()}
    assert {role["Ref"] for role in properties("TracesPolicy")["Roles"]} == roles


def test_the_timer_may_start_the_export_and_nothing_else() -> None:
    assert allowed("ExportTimerRole") == {"lambda:InvokeFunction": {"ExportFunction"}}


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
