"""Turn a chosen deployment and a client's envelope into an exchange."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit
from weakref import ref

import msgspec

from headgate import __version__
from headgate.types.deployment import Body, Candidate, Deployment, Operation, StreamUsage, Upstream
from headgate.types.fault import FaultClass
from headgate.types.request import Attempt, Envelope
from headgate.types.secret import Secret
from headgate.upstream.exchange import Clocks, Exchange, ExchangeFailed
from headgate.upstream.origin import Origin, origin_of
from headgate.upstream.pool import Pool
from headgate.upstream.scripted import open_scripted
from headgate.wire import json

PATHS = {
    Operation.CHAT: "/chat/completions",
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
}
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_ASK_USAGE = json.raw({"include_usage": True})
_AUTH_SCHEMES = ("apikey", "basic", "bearer", "key", "token")


class _Address(msgspec.Struct, frozen=True, eq=False):
    """Where a deployment's requests go, and the head of each up to the value of `content-length`."""

    deployment: ref[Deployment]
    origin: Origin
    head: bytes


class Caller:
    """Sends requests to deployments. `env` is read for the proxy variables, once per deployment."""

    def __init__(self, pool: Pool, env: Mapping[str, str]) -> None:
        self._pool = pool
        self._env = env
        # By the deployment's identity, and weak, so that a reload's old deployments and the credentials in their heads
        # go away with the old snapshot. (A WeakKeyDictionary would cost each request a microsecond more.)
        self._addresses: dict[tuple[int, Operation, bool], _Address] = {}

    async def open(
        self,
        candidate: Candidate,
        envelope: Envelope,
        clocks: Clocks,
        dropped: list[str],
        attempt: Attempt | None = None,
    ) -> Exchange:
        """Send the request and wait for the head of the reply; `attempt` learns when there was a connection.

        Appends to `dropped` the parameters this provider cannot honour. Raises ExchangeFailed.
        """
        deployment = candidate.deployment
        body = json.encode(patched(candidate, envelope, dropped))
        script = deployment.upstream.script
        if script is not None:
            if attempt is not None:
                attempt.connected = attempt.started
            return await open_scripted(script(envelope.operation, body), clocks)
        address = self._address(deployment, envelope)
        head = b"%b%d\r\n\r\n" % (address.head, len(body))
        return await self._pool.send(address.origin, head, body, clocks, attempt)

    def secrets(self, deployment: Deployment) -> tuple[Secret, ...]:
        """What has to be taken out of anything this deployment's provider says before somebody is told it."""
        return secrets_of(deployment, self._env)

    def _address(self, deployment: Deployment, envelope: Envelope) -> _Address:
        key = (id(deployment), envelope.operation, envelope.stream)
        known = self._addresses.get(key)
        if known is None or known.deployment() is not deployment:
            origin, head = _address_of(deployment, envelope.operation, envelope.stream, self._env)
            gone = ref(deployment, lambda _: self._addresses.pop(key, None))
            known = self._addresses[key] = _Address(gone, origin, head)
        return known


def secrets_of(deployment: Deployment, env: Mapping[str, str]) -> tuple[Secret, ...]:
    """Everything secret a request to this deployment carries: credential, operator's headers, the proxy's userinfo.

    An upstream can repeat any of it in an error; which headers are secret only the operator knows.
    """
    upstream, credential = deployment.upstream, deployment.credential.secret
    found = [] if credential is None else [credential]
    for _, value in upstream.headers:
        found.append(value)
        scheme, _, rest = value.reveal().partition(" ")
        if rest and scheme.lower() in _AUTH_SCHEMES:
            found.append(Secret(rest.strip()))
    try:
        proxy = _origin(upstream, env).proxy
    except ValueError:
        # Nothing was ever sent to an address or through a proxy that cannot be used.
        proxy = None
    return (*found, *(proxy.secrets if proxy is not None else ()))


def patched(candidate: Candidate, envelope: Envelope, dropped: list[str]) -> Body:
    """A copy of the client's fields with the model's name at this provider and the provider's quirks applied."""
    upstream = candidate.deployment.upstream
    fields = dict(envelope.fields)
    fields["model"] = json.raw(candidate.upstream_id)
    if upstream.stream_usage is StreamUsage.ALWAYS:
        fields.pop("stream_options", None)
    elif envelope.stream:
        # Usage is always asked for: the gateway has to know it even where the client does not.
        fields["stream_options"] = _asking_usage(fields.get("stream_options"))
    for quirk in upstream.quirks:
        quirk(fields, dropped)
    return fields


def _asking_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None or bytes(options) == b"null":
        return _ASK_USAGE
    return json.raw(json.parse_body(options) | {"include_usage": json.raw(True)})


def _origin(upstream: Upstream, env: Mapping[str, str]) -> Origin:
    return origin_of(upstream.base_url, upstream.proxy.reveal() if upstream.proxy else None, env)


def _address_of(
    deployment: Deployment, operation: Operation, stream: bool, env: Mapping[str, str]
) -> tuple[Origin, bytes]:
    """The origin, and the head of a request up to the value of `content-length`. Raises ExchangeFailed."""
    upstream = deployment.upstream
    try:
        origin = _origin(upstream, env)
    except ValueError as error:
        raise ExchangeFailed(FaultClass.CONNECT_FAILED, f"it cannot be called: {error}") from None
    path = quote(urlsplit(upstream.base_url).path.rstrip("/"), safe=_PATH_SAFE) + PATHS[operation]
    target = path
    headers = {
        "host": origin.authority,
        "user-agent": f"headgate/{__version__}",
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
    }
    if origin.proxy is not None and origin.scheme == "http":
        # RFC 9112 §3.2.2: a proxy is told the whole URL.
        target = f"http://{origin.authority}{path}"
        if origin.proxy.authorization is not None:
            headers["proxy-authorization"] = origin.proxy.authorization.reveal()
    if upstream.auth_header is not None and deployment.credential.secret is not None:
        name, template = upstream.auth_header
        headers[name.lower()] = template.replace("{}", deployment.credential.secret.reveal())
    headers.update((name.lower(), value.reveal()) for name, value in upstream.headers)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            # Its name alone: the value is most likely a credential, pasted with a line break or an ellipsis in it.
            message = f"it cannot be called: its header {name} holds what no header can"
            raise ExchangeFailed(FaultClass.BAD_CREDENTIAL, message)
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "content-length: "]
    return origin, "\r\n".join(lines).encode("ascii")
