"""Nothing that somebody else named can steer a terminal."""

from pipeline.terminal import printable


def test_what_could_move_a_cursor_or_break_a_line_is_replaced_and_letters_of_any_language_stay():
    assert printable("a\x1b[31mb\nc\u202ed\x00 Größe 靴 👢") == "a�[31mb�c�d� Größe 靴 👢"
