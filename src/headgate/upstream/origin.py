"""Where a connection goes: the origin of a base URL, and the proxy on the way."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from headgate.types.secret import Secret

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
DEFAULT_PORTS = {"http": 80, "https": 443}
_OTHER_PROXIES = ("https", "socks4", "socks4a", "socks5", "socks5h")
_MAX_LABEL = 63
_MAX_NAME = 253


class ProxyVariableError(Exception):
    """A proxy variable of the environment cannot be used; the message is one line, ready to print."""


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy spoken to in the clear; `authorization` is the whole header value."""

    host: str
    port: int
    authorization: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Its user and password in every form it is sent them, which nobody else may be told."""
        if self.authorization is None:
            return ()
        encoded = self.authorization.reveal().removeprefix("Basic ")
        pair = base64.b64decode(encoded).decode()
        user, _, password = pair.partition(":")
        return tuple(Secret(text) for text in (encoded, pair, user, password) if text)


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host and port, and the proxy in between. Connections are shared by those that go to the same origin."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def authority(self) -> str:
        """What belongs in a `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """Read `http://[user:password@]host:port`.

    Raises ValueError saying what is not supported, in fixed words: any part of what was given may be a password that
    was not escaped, and Python's own messages quote it.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        user, password = parts.username, parts.password
        authorization = None if user is None else _basic(unquote(user), unquote(password or ""))
    except ValueError:
        raise ValueError("a proxy's URL cannot be read; it is http://[user:password@]host:port") from None
    if parts.scheme in _OTHER_PROXIES:
        raise ValueError(f"a proxy reached by {parts.scheme}:// is not supported; use http://host:port")
    if parts.scheme != "http":
        raise ValueError("a proxy's URL must begin with http://")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a proxy's URL must end after its port; a '/' in its password is written %2F")
    if not parts.hostname or not is_host(parts.hostname):
        raise ValueError("a proxy needs a host: http://host:port")
    try:
        port = parts.port or 80
    except ValueError:
        raise ValueError("a proxy's port must be a number up to 65535") from None
    return Proxy(parts.hostname, port, authorization)


def _basic(user: str, password: str) -> Secret:
    return Secret("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def is_host(host: str) -> bool:
    """Whether a URL's host can be looked up: an address, or labels of 1 to 63 bytes, 253 in all (RFC 1035 §2.3.4)."""
    name = host.removesuffix(".")
    return ":" in host or (len(name) <= _MAX_NAME and all(0 < len(label) <= _MAX_LABEL for label in name.split(".")))


def origin_of(base_url: str, proxy_url: str | None, env: Mapping[str, str]) -> Origin:
    """The origin of a base URL; the proxy is the one given, else the environment's (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).

    Raises ValueError for a URL or proxy that cannot be used, in words that repeat neither.
    """
    try:
        parts = urlsplit(base_url)
        scheme, host = parts.scheme, parts.hostname or ""
        port = parts.port or DEFAULT_PORTS.get(scheme, 0)
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        raise ValueError("its base_url cannot be read") from None
    if scheme not in DEFAULT_PORTS or not is_host(host):
        raise ValueError("its base_url is no http:// or https:// address of a host")
    if proxy_url is None:
        proxy_url = _proxy_from(env, scheme, host, port)
    return Origin(scheme, host, port, parse_proxy(proxy_url) if proxy_url else None)


def check_proxy_variables(env: Mapping[str, str]) -> None:
    """Raises ProxyVariableError naming a proxy variable that counts and cannot be used, never its value."""
    for scheme in DEFAULT_PORTS:
        name = _proxy_variable(env, scheme)
        try:
            if name is not None:
                parse_proxy(env[name])
        except ValueError as error:
            raise ProxyVariableError(f"{name}: {error}") from None


def _proxy_variable(env: Mapping[str, str], scheme: str) -> str | None:
    """The variable that says which proxy leads to addresses of this scheme; an empty one says nothing."""
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    return next((name for name in names if env.get(name)), None)


def _proxy_from(env: Mapping[str, str], scheme: str, host: str, port: int) -> str | None:
    name = _proxy_variable(env, scheme)
    exempt = env.get("no_proxy") or env.get("NO_PROXY") or ""
    return None if name is None or is_exempt(host, port, exempt) else env[name]


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY lists the host: `*`, a name (which covers its subdomains), an address or network, with port."""
    host = host.lower().rstrip(".")
    address = _address(host)
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*":
            return True
        name, entry_port = _split_port(entry)
        if entry_port is not None and entry_port != port:
            continue
        if address is not None:
            if _in_network(address, name):
                return True
            continue
        name = name.lstrip("*").lstrip(".").rstrip(".")
        if name and (host == name or host.endswith("." + name)):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, int(rest[1:]) if rest[1:].isdecimal() else None
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and ":" not in name:
        return name, int(port)
    return entry, None


def _address(host: str) -> _IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _in_network(address: _IPAddress, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
