"""Settings of admission are checked before anything starts."""

import pytest

from gateway.codec.configuration import decode_settings, encode_settings, load_settings
from gateway.errors import DocumentInvalid

DIGEST = "ab" * 32


def test_networks_and_overrides_are_read() -> None:
    environ = {
        "WEIR_ADMISSION__TRUSTED_PROXIES": "[10.0.0.0/8, 'fd00::/8']",
        "WEIR_ADMISSION__QUOTA_OVERRIDES": f'{{"{DIGEST}": 50}}',
    }
    settings = load_settings(None, environ)
    assert settings.admission.trusted_proxies == ("10.0.0.0/8", "fd00::/8")
    assert settings.admission.quota_overrides == {DIGEST: 50.0}
    assert decode_settings(encode_settings(settings)) == settings


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("TRUSTED_PROXIES", "[10.0.0.1/8]", "/admission/trusted_proxies/0: expected a network"),
        ("TRUSTED_PROXIES", "[nginx]", "/admission/trusted_proxies/0: expected a network"),
        ("QUOTA_OVERRIDES", "{abc: 1}", "/admission/quota_overrides: expected the SHA-256 of a key"),
        ("QUOTA_OVERRIDES", f"{{{DIGEST}: -1}}", "/admission/quota_overrides: expected the SHA-256 of a key"),
        ("API_KEY_HEADER", "x key", "/admission/api_key_header: expected the name of a header"),
        ("UNLISTED_KEYS", "reject", "/admission/unlisted_keys: expected one of 'accept', 'ignore'"),
        ("LATENCY_TARGET_MS", "0", "/admission/latency_target_ms: expected a number from 1 to 60000"),
    ],
)
def test_a_wrong_one_is_named(name: str, text: str, says: str) -> None:
    with pytest.raises(DocumentInvalid, match=says):
        load_settings(None, {f"WEIR_ADMISSION__{name}": text})


def test_a_key_in_place_of_its_digest_is_not_told() -> None:
    with pytest.raises(DocumentInvalid) as caught:
        load_settings(None, {"WEIR_ADMISSION__QUOTA_OVERRIDES": "{topsecret: 1}"})
    assert "topsecret" not in str(caught.value)
