"""The certificate and its key as settings: what is accepted, and what is said otherwise."""

import ssl
from pathlib import Path

import pytest

from gateway.codec.configuration import check_settings
from gateway.errors import DocumentInvalid
from gateway.settings import Settings
from gateway.tls import server_context
from tests.certificates import make_certificate


def test_without_a_certificate_there_is_no_context() -> None:
    assert server_context(Settings()) is None


def test_old_versions_of_the_protocol_are_not_spoken(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    context = server_context(Settings(tls_cert=made.cert, tls_key=made.key))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    settings = Settings(tls_cert=make_certificate(tmp_path).cert, tls_key=make_certificate(tmp_path, "other").key)
    with pytest.raises(DocumentInvalid, match="key values mismatch"):
        server_context(settings)


def test_a_key_with_a_pass_phrase_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, pass_phrase="secret")
    with pytest.raises(DocumentInvalid, match="without a pass phrase"):
        server_context(Settings(tls_cert=made.cert, tls_key=made.key))


def test_files_that_are_no_pem_are_refused(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    made.cert.write_text("no certificate")
    with pytest.raises(DocumentInvalid, match="a certificate in PEM"):
        server_context(Settings(tls_cert=made.cert, tls_key=made.key))


def test_files_that_cannot_be_read_are_both_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid) as told:
        server_context(Settings(tls_cert=tmp_path / "no.pem", tls_key=tmp_path))
    assert [(fault.pointer, fault.found) for fault in told.value.faults] == [
        ("/tls_cert", f"{tmp_path / 'no.pem'}: No such file or directory"),
        ("/tls_key", f"{tmp_path}: Is a directory"),
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param(Settings(tls_cert=Path("x")), "/tls_key: expected a file, since tls_cert is given", id="no key"),
        pytest.param(Settings(tls_key=Path("x")), "/tls_cert: expected a file, since tls_key is given", id="no cert"),
    ],
)
def test_a_certificate_and_its_key_come_together(settings: Settings, said: str) -> None:
    with pytest.raises(DocumentInvalid, match=said):
        check_settings(settings)
