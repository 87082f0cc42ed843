"""Address and secret: the command line, else the configuration, else what a running gateway wrote down."""

import json
import os

import pytest

from instar.client.discovery import DEFAULT_URL, Named, find_addresses, is_alive, is_this_machine
from instar.errors import ConfigError, InvalidRequest


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".instar").mkdir()
    return tmp_path


def write_running(home, **facts):
    facts = {"url": "ws://127.0.0.1:4711", "token": "running", "pid": os.getpid(), **facts}
    (home / ".instar" / "gateway.json").write_text(json.dumps(facts))


def write_config(home, text):
    (home / ".instar" / "instar.json5").write_text(text)


def find(home, env=None, **named):
    return find_addresses(Named(**named), env=env or {}, home=home)


def told(addresses):
    return [(one.url, one.token, one.origin) for one in addresses]


def test_nothing_known_means_the_usual_place_without_a_secret(home):
    assert told(find(home)) == [(DEFAULT_URL, None, "default")]


def test_a_running_gateway_tells_where_it_is(home):
    write_running(home)
    assert told(find(home)) == [("ws://127.0.0.1:4711", "running", "running")]
    assert find(home)[0].pid == os.getpid()


def test_the_state_directory_may_be_elsewhere(home, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "gateway.json").write_text('{"url": "ws://127.0.0.1:1", "token": "t", "pid": 1}')
    assert told(find(home, env={"INSTAR_STATE_DIR": str(other)})) == [("ws://127.0.0.1:1", "t", "running")]


def test_a_configured_port_comes_first_and_the_running_one_after_it(home):
    write_config(home, "{gateway: {port: 5000, auth: {token: 'configured'}}}")
    write_running(home)
    assert told(find(home)) == [
        ("ws://127.0.0.1:5000", "configured", "configuration"),
        ("ws://127.0.0.1:4711", "running", "running"),
    ]


def test_the_same_place_told_twice_is_looked_at_once(home):
    write_config(home, "{gateway: {port: 4711, auth: {token: 'configured'}}}")
    write_running(home)
    assert told(find(home)) == [("ws://127.0.0.1:4711", "running", "running")]


def test_a_configured_secret_goes_with_the_usual_place(home):
    write_config(home, "{gateway: {auth: {token: 'configured'}}}")
    assert told(find(home)) == [(DEFAULT_URL, "configured", "default")]


def test_a_secret_of_the_environment_counts_as_configured(home):
    assert told(find(home, env={"OPENCLAW_GATEWAY_TOKEN": "env"})) == [(DEFAULT_URL, "env", "default")]


def test_a_gateway_that_listens_everywhere_is_asked_on_this_machine(home):
    write_config(home, "{gateway: {bind: 'lan', port: 5000}}")
    assert find(home)[0].url == "ws://127.0.0.1:5000"
    write_config(home, "{gateway: {bind: '::', port: 5000}}")
    assert find(home)[0].url == "ws://[::1]:5000"


def test_port_zero_names_no_port(home):
    write_config(home, "{gateway: {port: 0}}")
    write_running(home)
    assert told(find(home)) == [("ws://127.0.0.1:4711", "running", "running")]


def test_a_directory_with_a_database_means_its_own_gateway_unless_one_is_named(home):
    write_running(home, url="ws://127.0.0.1:7", token="t")
    assert [each.state_dir for each in find(home)] == [None]
    (home / ".instar" / "instar.db").touch()
    assert [each.state_dir for each in find(home)] == [home / ".instar"]
    assert [each.state_dir for each in find(home, url="ws://127.0.0.1:7")] == [None]
    assert [each.state_dir for each in find(home, token="other")] == [None]


def test_what_is_named_by_hand_stands_alone(home):
    write_config(home, "{gateway: {port: 5000}}")
    write_running(home)
    assert told(find(home, url="127.0.0.1:9", token="mine")) == [("ws://127.0.0.1:9", "mine", "flag")]


def test_a_token_by_hand_opens_the_place_that_is_known(home):
    write_running(home)
    assert told(find(home, token="mine")) == [("ws://127.0.0.1:4711", "mine", "running")]


def test_a_password_by_hand_takes_the_place_of_a_stored_token(home):
    write_running(home)
    (address,) = find(home, password="open")
    assert (address.token, address.password) == (None, "open")


def test_a_configured_password_is_told(home):
    write_config(home, "{gateway: {auth: {mode: 'password', password: 'open'}}}")
    (address,) = find(home)
    assert (address.token, address.password) == (None, "open")


def test_a_stored_secret_is_sent_to_this_machine_only(home):
    write_running(home)
    assert told(find(home, url="ws://localhost:77")) == [("ws://localhost:77", "running", "flag")]
    assert told(find(home, url="ws://gateway.example:77")) == [("ws://gateway.example:77", None, "flag")]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:9", "ws://127.0.0.1:9"),
        ("http://127.0.0.1:9/", "ws://127.0.0.1:9"),
        ("https://gw.example/base/", "wss://gw.example/base"),
        ("wss://gw.example", "wss://gw.example"),
        ("[::1]:9", "ws://[::1]:9"),
    ],
)
def test_addresses_are_read_as_people_write_them(home, text, url):
    assert find(home, url=text)[0].url == url


@pytest.mark.parametrize("text", ["ftp://x", "ws://", "127.0.0.1:99999999", "[::1", ""])
def test_what_is_no_address_is_refused_by_name(home, text):
    with pytest.raises(InvalidRequest, match="no address"):
        find(home, url=text)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 5}', '{"token": "t"}', '{"url": "nonsense://"}'])
def test_a_file_of_a_gateway_that_cannot_be_read_tells_nothing(home, text):
    (home / ".instar" / "gateway.json").write_text(text)
    assert told(find(home)) == [(DEFAULT_URL, None, "default")]


def test_a_configuration_that_cannot_be_read_says_where(home):
    write_config(home, "{\n  gateway: {port: 'x'},\n}")
    with pytest.raises(ConfigError, match=r"instar.json5:2:\d+: gateway.port"):
        find(home)


def test_a_configuration_that_was_named_must_exist(home):
    with pytest.raises(ConfigError, match="no such file"):
        find(home, config=home / "missing.json5")


def test_a_configuration_that_says_nothing_of_a_gateway_is_not_parsed(home):
    write_config(home, "{ this is no JSON at all")
    assert told(find(home)) == [(DEFAULT_URL, None, "default")]


def test_this_machine_is_known_by_its_names():
    assert is_this_machine("ws://127.0.0.1:1")
    assert is_this_machine("ws://[::1]:1")
    assert is_this_machine("ws://localhost")
    assert not is_this_machine("ws://localhost.example")
    assert not is_this_machine("ws://10.0.0.1")


def test_a_process_is_alive_until_it_is_gone():
    assert is_alive(os.getpid())
    assert is_alive(1)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(pid)  # ended, and not buried yet
    os.waitpid(pid, 0)
    assert not is_alive(pid)


def test_secrets_do_not_show_in_what_is_printed(home):
    write_running(home)
    assert "running" not in repr(find(home)[0]).replace("origin='running'", "")
