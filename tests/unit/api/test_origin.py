import pytest

from instar.api.origin import is_origin_allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "is_allowed"),
    [
        pytest.param(None, "127.0.0.1:18789", (), True, id="a program that is no browser"),
        pytest.param("http://127.0.0.1:18789", "127.0.0.1:18789", (), True, id="own page by address"),
        pytest.param("http://localhost:18789", "localhost:18789", (), True, id="own page by localhost"),
        pytest.param("http://[::1]:18789", "[::1]:18789", (), True, id="own page by IPv6"),
        pytest.param("http://192.168.1.5", "192.168.1.5", (), True, id="own page on port 80"),
        pytest.param("https://192.168.1.5:443", "192.168.1.5", (), True, id="own page on port 443"),
        pytest.param("http://127.0.0.1:9999", "127.0.0.1:18789", (), False, id="another program of this machine"),
        pytest.param("http://localhost:18789", "127.0.0.1:18789", (), False, id="another name for this machine"),
        pytest.param("http://evil.example", "127.0.0.1:18789", (), False, id="another site"),
        pytest.param("http://evil.example:18789", "evil.example:18789", (), False, id="a name pointed here"),
        pytest.param("null", "127.0.0.1:18789", (), False, id="a page without an origin"),
        pytest.param("", "127.0.0.1:18789", (), False, id="an empty origin"),
        pytest.param("http://[::1", "[::1", (), False, id="a broken address"),
        pytest.param("http://127.0.0.1:99999", "127.0.0.1:99999", (), False, id="a port that is none"),
        pytest.param("ftp://127.0.0.1:18789", "127.0.0.1:18789", (), False, id="another scheme"),
        pytest.param("https://panel.example", "127.0.0.1:18789", ("https://Panel.example/",), True, id="a listed site"),
        pytest.param("http://panel.example", "127.0.0.1:18789", ("https://panel.example",), False, id="its other door"),
        pytest.param("http://evil.example", "127.0.0.1:18789", ("*",), True, id="everybody, as somebody wished"),
    ],
)
def test_only_own_and_listed_pages_may_speak(origin, host, allowed, is_allowed):
    assert is_origin_allowed(origin, host_header=host, allowed=allowed) is is_allowed
