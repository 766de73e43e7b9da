"""What of the template is changed before it is deployed on this machine."""

from __future__ import annotations

from infra.local.deploy import with_literal_numbers
from infra.package import TEMPLATE

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
