"""Where a base URL leads, and which proxy stands in between."""

from __future__ import annotations

import base64
import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.upstream.origin import Origin, Proxy, is_exempt, origin_of, parse_proxy


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
    ["", "api.test/v1", "ftp://api.test", "https:///v1", "http://api.test:99999", "http://api.test:x", "http://[::1"],
)
def test_what_is_no_address_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        origin_of(url, None, {})


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
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_value_error_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        parse_proxy(url)
    assert "hunter22" not in str(caught.value)


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
