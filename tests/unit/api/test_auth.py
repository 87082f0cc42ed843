import pytest

from instar.api.auth import Authority, Refused, authenticate, check_bind, is_loopback, same_secret
from instar.api.settings import ApiSettings, AuthSettings
from instar.core.policy.scopes import OWNER_SCOPES
from instar.errors import ConfigError


def test_the_gateways_own_secret_allows_everything():
    assert authenticate(AuthSettings(token="t"), token="t", password=None) == Authority(scopes=OWNER_SCOPES)


@pytest.mark.parametrize(
    ("settings", "token", "password", "reason", "code"),
    [
        (AuthSettings(token="t"), None, None, "token_missing", "AUTH_TOKEN_MISSING"),
        (AuthSettings(token="t"), "u", None, "token_mismatch", "AUTH_TOKEN_MISMATCH"),
        (AuthSettings(), "t", None, "token_missing_config", "AUTH_TOKEN_NOT_CONFIGURED"),
        (AuthSettings(mode="password", password="p"), "p", None, "password_missing", "AUTH_PASSWORD_MISSING"),
        (AuthSettings(mode="password", password="p"), None, "q", "password_mismatch", "AUTH_PASSWORD_MISMATCH"),
        (AuthSettings(mode="password"), None, "q", "password_missing_config", "AUTH_PASSWORD_NOT_CONFIGURED"),
    ],
)
def test_a_refusal_names_its_reason_for_people_and_programs(settings, token, password, reason, code):
    refused = authenticate(settings, token=token, password=password)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert refused.details["code"] == code
    assert refused.message.startswith(f"unauthorized: gateway {settings.mode} ")


def test_secrets_of_any_text_can_be_compared():
    assert same_secret("pässwörd", "pässwörd")
    assert not same_secret("\ud800", "x")


def test_settings_never_show_their_secret():
    assert "hush" not in repr(ApiSettings(auth=AuthSettings(token="hush", password="hush")))


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  # that it is not this machine alone is the test
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.evil.example", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host, is_local):
    assert is_loopback(host) is is_local


def test_a_public_address_needs_a_secret():
    with pytest.raises(ConfigError) as caught:
        check_bind(ApiSettings(host="0.0.0.0"))  # noqa: S104  # that it is refused is the test
    assert caught.value.path == "gateway.auth.token"
    check_bind(ApiSettings(host="0.0.0.0", auth=AuthSettings(token="t")))  # noqa: S104  # with a secret it may
    check_bind(ApiSettings())
