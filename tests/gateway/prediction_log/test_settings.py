import pytest

from gateway.codec.configuration import load_settings
from gateway.errors import DocumentInvalid


def test_the_log_holds_two_files_at_least() -> None:
    environ = {"WEIR_PREDICTION_LOG__FILE_MB": "600", "WEIR_PREDICTION_LOG__KEEP_MB": "1199"}
    with pytest.raises(DocumentInvalid) as refused:
        load_settings(None, environ)
    assert [fault.pointer for fault in refused.value.faults] == ["/prediction_log/keep_mb"]
    assert load_settings(None, environ | {"WEIR_PREDICTION_LOG__KEEP_MB": "1200"}).prediction_log.path is None


def test_features_to_leave_out_are_a_list() -> None:
    log = load_settings(None, {"WEIR_PREDICTION_LOG__REDACT": "[email, name]"}).prediction_log
    assert log.redact == ("email", "name")
