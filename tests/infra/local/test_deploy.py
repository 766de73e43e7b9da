"""What of the template is changed before it is deployed on this machine."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from infra.local.deploy import Deployment, concurrency, declared_parameters, with_literal_numbers
from infra.package import TEMPLATE
from pipeline.errors import DeployerError

TEXT = """
Parameters:
  Speed:
    Type: Number
    Default: 5
  SpeedLimit:
    Type: Number
    Default: 0.5
  Name:
    Type: String
    Default: shop
Resources:
  Car:
    Speed: !Ref Speed
    Limit: !Ref SpeedLimit  # km/s
    Name: !Ref Name
    Both: !FindInMap [Sums, !Ref Speed, !Ref Speed]
"""


def test_there_are_about_as_many_functions_as_cores_and_the_template_allows_for_it() -> None:
    declared = declared_parameters(TEMPLATE.read_text(encoding="utf-8"))

    for cores, functions in ((1, 2), (2, 2), (3, 5), (8, 10), (96, 10)):
        assert set(concurrency(cores).values()) == {str(functions)}
        assert all(str(functions) in declared[name]["AllowedValues"] for name in concurrency(cores))


def test_a_given_number_goes_before_the_default() -> None:
    written = with_literal_numbers(TEXT, {"Speed": "7", "Name": "mine"})

    assert "    Speed: 7\n" in written
    assert "    Name: !Ref Name\n" in written


def test_a_number_that_a_parameter_gives_is_written_out() -> None:
    written = with_literal_numbers(TEXT)

    assert "    Speed: 5\n" in written
    assert "    Limit: 0.5  # km/s\n" in written


def test_a_text_stays_a_parameter_and_so_does_what_a_table_is_read_by() -> None:
    written = with_literal_numbers(TEXT)

    assert "    Name: !Ref Name\n" in written
    assert "    Both: !FindInMap [Sums, !Ref Speed, !Ref Speed]\n" in written


def test_every_mapping_of_the_template_is_deployed_with_numbers() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    written = with_literal_numbers(text)

    for name in ("BatchSize", "MaximumConcurrency", "MemorySize"):
        assert f"{name}: !Ref " in text
        assert f"{name}: !Ref " not in written


class LateCloudFormation:
    """Refuses to create a stack with this error, and says that it is complete."""

    def __init__(self, code: str) -> None:
        self.code = code

    def create_stack(self, **arguments: object) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "so it is"}}, "CreateStack")

    def describe_stacks(self, **arguments: object) -> dict[str, list[dict[str, str]]]:
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}


def test_a_stack_whose_creation_was_answered_too_late_is_waited_for_and_a_refusal_is_a_sentence() -> None:
    late, refused = (
        Deployment("", LateCloudFormation(code), None, None, None)
        for code in ("AlreadyExistsException", "ValidationError")
    )

    assert late._create({})
    with pytest.raises(DeployerError, match="the template was refused: so it is"):
        refused._create({})
