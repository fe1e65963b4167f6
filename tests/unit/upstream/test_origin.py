"""Where a base URL leads, and which proxy stands in between."""

from __future__ import annotations

import base64
import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.upstream.origin import (
    Origin,
    Proxy,
    ProxyVariableError,
    check_proxy_variables,
    is_exempt,
    is_host,
    origin_of,
    parse_proxy,
)


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("https://api.test/v1", Origin("https", "api.test", 443), "api.test"),
        ("http://api.test", Origin("http", "api.test", 80), "api.test"),
        ("https://api.test:443/", Origin("https", "api.test", 443), "api.test"),
        ("https://api.test:80/", Origin("https", "api.test", 80), "api.test:80"),
        ("http://127.0.0.1:8000/v1", Origin("http", "127.0.0.1", 8000), "127.0.0.1:8000"),
        ("http://[::1]:8000/v1", Origin("http", "::1", 8000), "[::1]:8000"),
        ("https://[2001:DB8::1]/v1", Origin("https", "2001:db8::1", 443), "[2001:db8::1]"),
        ("https://API.Test/v1", Origin("https", "api.test", 443), "api.test"),
        ("https://bücher.test/v1", Origin("https", "xn--bcher-kva.test", 443), "xn--bcher-kva.test"),
    ],
)
def test_a_base_url_has_one_origin(url: str, origin: Origin, authority: str) -> None:
    found = origin_of(url, None, {})
    assert found == origin
    assert found.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.test/v1",
        "ftp://api.test/hunter22",
        "https:///hunter22",
        "http://api.test:99999",
        "http://api.test:hunter22",
        "http://[::1",
        "http://[hunter22]/",
        "http://hunter22..test/v1",
        f"http://{'hunter22' * 8}.test/v1",
        f"http://{'é' * 80}.test/v1",
        "http://hunter22\u2100.test",
    ],
)
def test_what_is_no_address_is_a_value_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        origin_of(url, None, {})
    assert "hunter22" not in str(caught.value)
    assert str(caught.value).isascii()


def test_equal_origins_share_their_connections() -> None:
    env = {"HTTPS_PROXY": "http://u:p@proxy.test:3128"}
    first, second = origin_of("https://api.test/a", None, env), origin_of("https://api.test:443/b", None, env)
    assert first == second
    assert len({first: 1, second: 2}) == 1
    assert origin_of("https://api.test/a", None, {}) != first
    assert origin_of("https://api.test/a", "http://u:other@proxy.test:3128", {}) != first


@pytest.mark.parametrize(
    ("url", "host", "port", "pair"),
    [
        ("http://proxy.test:3128", "proxy.test", 3128, None),
        ("proxy.test:3128", "proxy.test", 3128, None),
        ("http://proxy.test", "proxy.test", 80, None),
        ("http://[::1]:3128", "::1", 3128, None),
        ("http://user:pass@proxy.test:3128/", "proxy.test", 3128, "user:pass"),
        ("http://us%3Aer:p%40ss%2F@proxy.test:1", "proxy.test", 1, "us:er:p@ss/"),
        ("http://user@proxy.test:1", "proxy.test", 1, "user:"),
        ("http://us%C3%A9r:p@proxy.test:1", "proxy.test", 1, "usér:p"),
    ],
)
def test_a_proxy_url_is_read(url: str, host: str, port: int, pair: str | None) -> None:
    proxy = parse_proxy(url)
    assert (proxy.host, proxy.port) == (host, port)
    if pair is None:
        assert proxy.authorization is None
    else:
        assert proxy.authorization is not None
        assert proxy.authorization.reveal() == "Basic " + base64.b64encode(pair.encode()).decode()
        assert repr(proxy.authorization) == "Secret(…)"


@pytest.mark.parametrize(
    "url",
    [
        "socks5://u:hunter22@proxy.test:1",
        "https://u:hunter22@proxy.test:1",
        "http://",
        "http://:3128",
        "http://u:hunter22@",
        "http://u:hunter22@proxy.test:99999",
        "http://u:hunter22/x@proxy.test:1",
        "http://u:1/hunter22@proxy.test:x",
        "http://u:hunter22@proxy.test:hunter22",
        "http://u:hunter22?x@proxy.test:1",
        "http://u:hunter22#x@proxy.test:1",
        "http://u:hunter22[@proxy.test:1",
        "http://u:hunter22\u2100@proxy.test:1",
        "http://u:hunter22\udcff@proxy.test:1",
        "http://u:p@[hunter22]:1",
        "http://u:p@hunter22..test:1",
        "hunter22://proxy.test:1",
        "u:hunter22://@proxy.test:1",
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_value_error_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        parse_proxy(url)
    assert "hunter22" not in str(caught.value)


def refusal_of(url: str) -> str:
    try:
        parse_proxy(url)
    except ValueError as error:
        return str(error)
    return "a good proxy"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("/?#@:[]%x\u2100\udcff ", max_size=6), st.text("/?#@:[]%x\u2100\udcff ", max_size=6))
def test_a_proxys_password_is_in_no_message_whatever_stands_around_it(before: str, after: str) -> None:
    for start in ("http://user:", "http://", "user:", "socks5://user:", ""):
        said = refusal_of(f"{start}{before}hunter22{after}@proxy.test:3128")
        assert "hunter22" not in said
        assert "proxy" in said
        assert said.isprintable()


def test_a_proxy_knows_what_of_it_must_not_be_repeated() -> None:
    proxy = parse_proxy("http://operator:p%40ssword1@proxy.test:1")
    pair = base64.b64encode(b"operator:p@ssword1").decode()
    assert {secret.reveal() for secret in proxy.secrets} == {pair, "operator:p@ssword1", "operator", "p@ssword1"}
    assert parse_proxy("http://proxy.test:1").secrets == ()


@pytest.mark.parametrize(
    "url", ["socks5://u:hunter22@h:1", "http://u:hunter22/x@h:1", "http://h:hunter22", "https://h"]
)
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_variable_that_cannot_be_used_is_named_and_its_value_not_shown(name: str, url: str) -> None:
    with pytest.raises(ProxyVariableError, match=f"^{name}: a proxy") as caught:
        check_proxy_variables({"PATH": "/bin", name: url})
    assert "hunter22" not in str(caught.value)
    assert "\n" not in str(caught.value)
    if url.startswith("socks5"):
        assert "not supported" in str(caught.value)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"HTTP_PROXY": "http://u:p@proxy.test:3128", "ALL_PROXY": ""},
        {"http_proxy": "proxy.test:3128", "HTTP_PROXY": "socks5://never-looked-at:1"},
        {"HTTP_PROXY": "http://h:1", "https_proxy": "http://h:1", "ALL_PROXY": "socks5://never-looked-at:1"},
        {"FTP_PROXY": "ftp://h", "socks_proxy": "socks5://h:1", "NO_PROXY": "a..b"},
    ],
)
def test_proxy_variables_that_are_fine_or_never_used_are_left_alone(env: dict[str, str]) -> None:
    check_proxy_variables(env)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("api.test", True),
        ("api.test.", True),
        ("under_score", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("x" * 63 + ".test", True),
        ("x" * 64 + ".test", False),
        (".".join(["x" * 49] * 5), True),
        (".".join(["x" * 50] * 5), False),
        ("a..b", False),
        (".a", False),
        ("a..", False),
        (".", False),
        ("", False),
    ],
)
def test_a_host_has_labels_of_1_to_63_bytes(host: str, known: bool) -> None:
    assert is_host(host) is known


PROXY = Proxy("proxy.test", 3128)
URL = "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("env", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": URL}, PROXY, None),
        ({"HTTPS_PROXY": URL}, None, PROXY),
        ({"http_proxy": URL, "https_proxy": URL}, PROXY, PROXY),
        ({"ALL_PROXY": URL}, PROXY, PROXY),
        ({"all_proxy": URL, "ALL_PROXY": "http://x.test"}, PROXY, PROXY),
        ({"ALL_PROXY": URL, "NO_PROXY": "api.test"}, None, None),
        ({"ALL_PROXY": URL, "NO_PROXY": "api.test:443"}, PROXY, None),
        ({"ALL_PROXY": URL, "no_proxy": "", "NO_PROXY": "api.test"}, None, None),
    ],
)
def test_the_environments_proxy_for_each_scheme(env: dict[str, str], http: Proxy | None, https: Proxy | None) -> None:
    assert origin_of("http://api.test", None, env).proxy == http
    assert origin_of("https://api.test", None, env).proxy == https


def test_an_empty_proxy_of_the_operators_means_none() -> None:
    assert origin_of("http://api.test", "", {"HTTP_PROXY": URL}).proxy is None


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("api.test", "", False),
        ("api.test", ",, ,", False),
        ("api.test", "*", True),
        ("api.test", "other.test,*", True),
        ("api.test", "api.test", True),
        ("api.test", "API.Test", True),
        ("API.TEST.", "api.test", True),
        ("api.test", "api.test.", True),
        ("api.test", ".test", True),
        ("api.test", "*.test", True),
        ("api.test", "test", True),
        ("api.test", "pi.test", False),
        ("api.test", "xapi.test", False),
        ("test", ".test", True),
        ("api.test", "sub.api.test", False),
        ("api.test", "a.test b.test\tapi.test", True),
        ("api.test", "api.test:8080", True),
        ("api.test", "api.test:8081", False),
        ("api.test", ":8080", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.0/8", True),
        ("127.0.0.1", "127.0.0.5/8", True),
        ("128.0.0.1", "127.0.0.0/8", False),
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.0.0.1", "127.0.0.1:1", False),
        ("127.0.0.1", "0.0.1", False),
        ("10.1.2.3", "10.1.2.3/33", False),
        ("::1", "::1", True),
        ("::1", "[::1]", True),
        ("::1", "[::1]:8080", True),
        ("::1", "[::1]:1", False),
        ("fd00::5", "fd00::/8", True),
        ("fe80::5", "fd00::/8", False),
        ("::1", "127.0.0.0/8", False),
        ("api.test", "10.0.0.0/8", False),
    ],
)
def test_what_no_proxy_lists(host: str, no_proxy: str, exempt: bool) -> None:
    assert is_exempt(host, 8080, no_proxy) is exempt


LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join).filter(lambda host: not host[-1].isdigit())
FAST = settings(max_examples=200, deadline=None, derandomize=True)


@FAST
@given(HOSTS, st.text(max_size=60), st.integers(1, 65535))
def test_any_text_in_no_proxy_gives_an_answer(host: str, no_proxy: str, port: int) -> None:
    assert is_exempt(host, port, no_proxy) in (True, False)


@FAST
@given(HOSTS, LABELS, st.integers(1, 65535), st.lists(HOSTS, max_size=3))
def test_a_listed_name_covers_itself_and_its_subdomains_wherever_it_stands_in_the_list(
    host: str, sub: str, port: int, others: list[str]
) -> None:
    for entry in (host, f".{host}", f"*.{host}", f"{host}:{port}", host.upper()):
        listed = ",".join([*others, entry, *others])
        assert is_exempt(host, port, listed)
        assert is_exempt(f"{sub}.{host}", port, listed)
    assert not is_exempt(f"{sub}{host}", port, host) or f"{sub}{host}".endswith(f".{host}")
    assert not is_exempt(host, port, f"{host}:{port % 65535 + 1}")


@FAST
@given(st.ip_addresses(), st.integers(0, 32), st.integers(1, 65535))
def test_a_listed_network_covers_what_is_in_it(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int, port: int
) -> None:
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    assert is_exempt(str(address), port, f"x.test, {network}")
    if bits:
        outside = type(address)(int(address) ^ (1 << (address.max_prefixlen - 1)))
        assert not is_exempt(str(outside), port, f"x.test, {network}")
