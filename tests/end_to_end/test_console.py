import os
from pathlib import Path

import pytest

from tests.end_to_end.console import Step, alike, read_steps, run_steps, stable_parts

TABLE = """\
drift, 425 rows
┏━━━━━┳━━━━━━┓
┃ name┃ PSI  ┃
┡━━━━━╇━━━━━━┩
│ one │ 0.01 │
│ two │ 0.02 │
└─────┴──────┘
"""
OTHER = """\
drift, 7 rows
┏━━━━━━━┳━━━━━┓
┃ name  ┃ PSI ┃
┡━━━━━━━╇━━━━━┩
│ two   │ 0.1 │
│ one   │ 0.3 │
└───────┴─────┘
"""
DOCUMENT = """
# Sample

```console
$ echo "not of the tour"
```

## A tour with curl

Words.

```console
$ N=7
$ echo "one
> two" \\
>   three
one
two three
```

### More of it

```console
$ echo $N
7
```

```python
$ echo "no console"
```

## Afterwards

```console
$ echo "not of the tour"
```
"""


def test_the_blocks_of_one_section_are_read_with_what_they_show() -> None:
    steps = read_steps(DOCUMENT, "tour")
    assert [(step.command, step.shown) for step in steps] == [
        ("N=7", ""),
        ('echo "one\ntwo" \\\n  three', "one\ntwo three\n"),
        ("echo $N", "7\n"),
    ]


def test_all_commands_run_in_one_shell(tmp_path: Path) -> None:
    steps = read_steps(DOCUMENT, "tour")
    printed = run_steps([*steps, Step("nothing-of-this-name", "", 1), Step("pwd", "", 2)], tmp_path, os.environ)
    assert [text.strip() for text in printed[:3]] == ["", "one\ntwo three", "7"]
    assert "command not found" in printed[3]
    assert printed[4].strip() == str(tmp_path)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        pytest.param('{"p": [0.12341]}', '{\n "p": [0.12339]}', id="fourth digit"),
        pytest.param("0.12345678901234", "0.12349012345678", id="many digits"),
        pytest.param('{"id":"00ff00ff00ff00ff"}', '{"id":"abcdefabcdef0123"}', id="request id"),
        pytest.param("at 2026-01-02T03:04:05Z", "at 2027-02-03T04:05:06.789Z", id="time"),
        pytest.param('weir_rows_total{model="m"} 5.0', 'weir_rows_total{model="m"} 17.0', id="count"),
        pytest.param("http://localhost:8080/x", "http://127.0.0.1:40123/x", id="address"),
        pytest.param("worker-0-11-1 ready", "worker-0-222-3 ready", id="worker"),
        pytest.param('{"a": 1, ...\n "z": 0.12341}', '{"a":1,"b":[2,3],"z":0.12339}', id="JSON in part"),
        pytest.param(TABLE, OTHER, id="numbers, widths and order of a table"),
        pytest.param("first\n...", "first\nsecond\nthird", id="end left out"),
        pytest.param("first\n...\nlast\n", "first\nlast", id="nothing left out"),
    ],
)
def test_what_varies_from_run_to_run_is_alike(shown: str, printed: str) -> None:
    assert alike(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        pytest.param('{"p": [0.1234]}', '{"p": [0.1244]}', id="third digit"),
        pytest.param('{"version": "1"}', '{"version": "2"}', id="value"),
        pytest.param('{"version": "1"}', '{"version": "1", "more": 1}', id="member"),
        pytest.param('weir_rows_total{model="m"} 5.0', 'weir_rows_total{model="n"} 5.0', id="label"),
        pytest.param("first", "first\nsecond", id="line"),
        pytest.param(TABLE, TABLE.replace("two", "six"), id="row of a table"),
        pytest.param(TABLE, TABLE.replace("PSI", "KL "), id="head of a table"),
        pytest.param(TABLE, TABLE.replace("drift", "rifts"), id="title of a table"),
    ],
)
def test_what_is_told_must_be_true(shown: str, printed: str) -> None:
    assert not alike(shown, printed)


def test_words_that_look_like_hexadecimal_digits_stay() -> None:
    assert stable_parts("faded decade") == "faded decade"
