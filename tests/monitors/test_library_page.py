"""Every example of docs/library.md is run, and says what the page says."""

import doctest
import re
from pathlib import Path

SESSION = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_are_true(repo_root: Path) -> None:
    page = (repo_root / "docs/library.md").read_text(encoding="utf-8")
    session = "\n".join(SESSION.findall(page))
    example = doctest.DocTestParser().get_doctest(session, {}, "docs/library.md", "docs/library.md", 0)
    assert len(example.examples) > 20
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=told.append)
    assert runner.failures == 0, "".join(told)
