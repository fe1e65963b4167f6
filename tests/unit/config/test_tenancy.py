"""Networks as keys name them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from headgate.config.tenancy import network


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.1/32"),
        ("::FFFF:7f00:1", "127.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::fffe:0:0/95", "::fffe:0:0/95"),
        ("::1", "::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_kept_as_the_one_its_callers_come_from(text: str, meant: str) -> None:
    assert network(text) == ip_network(meant)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8?"),
        ("::ffff:10.0.0.1/104", "did you mean 10.0.0.0/8?"),
        ("2001:DB8::1/32", "did you mean 2001:db8::/32?"),
        ("10.0.0", "must be an address such as 10.1.2.3, or a network such as 10.0.0.0/8"),
        ("", "must be an address"),
        (10, "must be an address"),
        (None, "must be an address"),
    ],
)
def test_what_is_no_network_is_refused_with_the_way_out(value: object, words: str) -> None:
    with pytest.raises(PydanticCustomError, match=words.replace("?", r"\?")):
        network(value)


@given(address=st.ip_addresses(v=4), prefix=st.integers(0, 32))
def test_the_ipv6_form_of_an_ipv4_network_is_that_network(address: object, prefix: int) -> None:
    plain = IPv4Network(f"{address}/{prefix}", strict=False)
    mapped = IPv6Network(f"::ffff:{plain.network_address}/{prefix + 96}")
    found = network(str(mapped))
    assert found == plain
    assert ip_address(str(plain.network_address)) in found
