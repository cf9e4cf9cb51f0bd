"""The verbs of release records against a real gateway's admin routes on a real port."""

import hashlib
from pathlib import Path

import pytest

from gateway.catalog.bundle import read_bundle
from gateway.cli import main
from gateway.release.document import encode_report
from tests.commands.test_admin import Gateway, gateway
from tests.models import echo_model, write_bundle
from tests.release.reports import report

__all__ = ["gateway"]


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(("release", *arguments))
    return int(end.value.code or 0)


def test_a_report_is_handed_over_byte_for_byte_and_shown(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    bundle = read_bundle(write_bundle(tmp_path / "m" / "2", echo_model()), model="m", version="2")
    data = encode_report(report(digest=bundle.digest)) + b"\n"  # as a file that an editor has been at
    (tmp_path / "report.json").write_bytes(data)
    assert status_of("submit", str(tmp_path)) == 1
    assert "weir load m 2" in " ".join(capsys.readouterr().err.split())
    gateway.admit(bundle)
    assert status_of("show", "m", "2") == 1
    assert "a release report of m version 2" in capsys.readouterr().err
    assert status_of("submit", str(tmp_path)) == 0
    told = capsys.readouterr().out
    sha256 = hashlib.sha256(data).hexdigest()
    assert all(words in told for words in ("m version 2, tier high", "golden", "skipped", "by admin", sha256))
    assert status_of("show", "m", "2") == 0
    assert capsys.readouterr().out == told


def test_a_file_that_is_no_report_is_refused_before_it_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_bytes(b"x" * (1024**2 + 1))
    assert status_of("submit", str(tmp_path)) == 1
    assert "no report" in capsys.readouterr().err
    (tmp_path / "report.json").write_bytes(encode_report(report()).replace(b'"pass"', b'"fail"', 1))
    assert status_of("submit", str(tmp_path)) == 1
    assert "the outcome fail where a gate fails" in capsys.readouterr().err
