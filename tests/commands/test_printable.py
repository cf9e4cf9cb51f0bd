"""No text of others reaches the terminal as a command."""

import pytest

from gateway.commands.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Ärger mit 猫 🐈 [bold]", "Ärger mit 猫 🐈 [bold]", id="plain"),
        pytest.param("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07", id="escape"),
        pytest.param("a\rb\nc\td\x00", r"a\rb\nc\td\x00", id="C0"),
        pytest.param("\x7f", r"\x7f", id="DEL"),
        pytest.param("\x9b31m", r"\x9b31m", id="C1"),
        pytest.param("\u202egnp.exe\u2066\u200b", r"\u202egnp.exe\u2066\u200b", id="bidi and format"),
        pytest.param("a\u2028b", r"a\u2028b", id="line separator"),
        pytest.param("\ud800", r"\ud800", id="lone surrogate"),
        pytest.param("a\u00a0b", "a\u00a0b", id="no-break space"),
    ],
)
def test_controls_are_written_out_and_the_rest_stays(text: str, shown: str) -> None:
    assert printable(text) == shown
