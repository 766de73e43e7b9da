"""Which stack a command works on, and what it knows of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.clients import client, stack_outputs
from pipeline.errors import BadSettings, NoStack, RetryLater
from pipeline.stack import LocalRun, Stack, endpoint_url_of, find_stack, local_folder
from tests.aws_world import answer, refusal

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = {name: f"the {name}" for name in Stack.output_names().values()}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose home holds a folder for a local stack."""
    variables = {"CATALOG_TAGGER_HOME": str(tmp_path)}
    local_folder(variables).mkdir()
    return variables


@pytest.fixture
def up(environment: dict[str, str]) -> LocalRun:
    run = LocalRun(port=4567, pid=1)
    run.save(local_folder(environment))
    return run


@pytest.fixture
def down(environment: dict[str, str]) -> LocalRun:
    run = LocalRun(port=4567, pid=None)
    run.save(local_folder(environment))
    return run


class Cloud:
    """Connects to a CloudFormation that knows one stack, and remembers what was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[Any] = []
        self.error = error
        self.meta = SimpleNamespace(region_name="us-east-1")

    def __call__(self, service: str, endpoint_url: str | None) -> Cloud:
        self.asked += [service, endpoint_url]
        return self

    def describe_stacks(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked["StackName"])
        if self.error:
            raise self.error
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]
        return {"Stacks": [{"Outputs": outputs}]}


# ---- Which one -------------------------------------------------------------------------------------------------------


def test_without_a_local_stack_it_is_aws(environment) -> None:
    assert endpoint_url_of(environment) is None


def test_a_local_stack_that_is_up_comes_before_aws(environment, up) -> None:
    assert endpoint_url_of(environment) == "http://127.0.0.1:4567"


def test_while_the_local_stack_is_down_nothing_reaches_aws(environment, down) -> None:
    with pytest.raises(NoStack, match=r"local stack is down.*local up.*CATALOG_TAGGER_TARGET=aws"):
        endpoint_url_of(environment)


@pytest.mark.parametrize("state", ["up", "down"])
def test_aws_can_be_asked_for(environment, request, state: str) -> None:
    request.getfixturevalue(state)

    assert endpoint_url_of({**environment, "CATALOG_TAGGER_TARGET": "aws"}) is None


def test_the_local_stack_can_be_asked_for(environment, up) -> None:
    asked = {**environment, "CATALOG_TAGGER_TARGET": "local", "AWS_ENDPOINT_URL": "http://elsewhere"}

    assert endpoint_url_of(asked) == up.endpoint_url


def test_asking_for_a_local_stack_that_there_is_not_is_a_mistake(environment) -> None:
    with pytest.raises(NoStack, match=r"no local stack.*local up"):
        endpoint_url_of({**environment, "CATALOG_TAGGER_TARGET": "local"})


def test_another_endpoint_comes_before_the_local_stack(environment, up) -> None:
    assert endpoint_url_of({**environment, "AWS_ENDPOINT_URL": "http://elsewhere"}) is None


def test_a_target_of_another_name_is_refused(environment) -> None:
    with pytest.raises(BadSettings, match="'cloud'; it must be aws or local"):
        endpoint_url_of({**environment, "CATALOG_TAGGER_TARGET": "cloud"})


# ---- What is known of it ---------------------------------------------------------------------------------------------


def test_a_stack_is_read_from_its_outputs(environment, up) -> None:
    cloud = Cloud()
    stack = find_stack(environment, cloud)

    assert stack.images_bucket == "the ImagesBucket"
    assert stack.backfill_dead_letter_queue_url == "the BackfillDeadLetterQueueUrl"
    assert stack.endpoint_url == up.endpoint_url
    assert cloud.asked == ["cloudformation", up.endpoint_url, "catalog-tagger"]


def test_a_stack_gives_back_the_outputs_it_came_from() -> None:
    assert Stack.from_outputs(OUTPUTS, "http://anywhere").outputs() == OUTPUTS


def test_a_stack_of_another_template_says_what_it_lacks() -> None:
    older = {name: value for name, value in OUTPUTS.items() if name != "ExportPrefix"}

    with pytest.raises(NoStack, match="no output ExportPrefix"):
        Stack.from_outputs(older)


def test_on_aws_the_stack_may_have_another_name(environment) -> None:
    cloud = Cloud()
    find_stack({**environment, "CATALOG_TAGGER_STACK": "catalog-tagger-test"}, cloud)

    assert cloud.asked == ["cloudformation", None, "catalog-tagger-test"]


def test_a_local_stack_that_does_not_answer_says_how_to_start_it(environment, up) -> None:
    with pytest.raises(NoStack, match=r"does not answer at http://127.0.0.1:4567.*local up"):
        find_stack(environment, Cloud(RetryLater("connection refused")))


def test_aws_that_does_not_answer_may_be_tried_again(environment) -> None:
    with pytest.raises(RetryLater):
        find_stack(environment, Cloud(RetryLater("connection refused")))


def test_a_stack_that_is_not_deployed_says_how_to_get_one(aws_environment) -> None:
    cloudformation = client("cloudformation")
    answer(cloudformation, refusal("ValidationError"))

    with pytest.raises(NoStack, match=r"no stack catalog-tagger in us-east-1.*local up"):
        stack_outputs(cloudformation, "catalog-tagger")


# ---- What is written of the local one --------------------------------------------------------------------------------


def test_a_local_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = LocalRun(port=4567, pid=89)
    run.save(tmp_path)

    assert LocalRun.load(tmp_path) == run


def test_where_nothing_was_written_there_is_no_local_run(tmp_path: Path) -> None:
    assert LocalRun.load(tmp_path / "nowhere") is None


def test_a_local_run_can_be_forgotten(tmp_path: Path) -> None:
    LocalRun(port=4567, pid=None).save(tmp_path)
    for _ in range(2):
        LocalRun.forget(tmp_path)

    assert LocalRun.load(tmp_path) is None
