"""Values of a document that say who may use something, from where, and until when."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema

from headgate.config.fields import refuse

EVERYBODY = "*"
# ::ffff:0:0/96, RFC 4291 section 2.5.5.2.
_MAPPED_PREFIX = 96
_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _moment(value: Any) -> int:
    """Unix seconds of a date (its first moment, UTC) or of a time with its zone."""
    # YAML makes dates of what looks like one.
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            refuse("must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
        if len(value) == len("2027-01-31"):
            moment = moment.replace(tzinfo=UTC)
    else:
        refuse("must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
    if moment.tzinfo is None:
        refuse("names no time zone: end it with Z, or with an offset such as +02:00")
    return int(moment.timestamp())


def network(value: Any) -> IPv4Network | IPv6Network:
    """An address, or a network, as text; an IPv4 one that is written in IPv6's way is the IPv4 one. Raises for what is
    none."""
    try:
        if not isinstance(value, str):
            raise ValueError
        written = ip_network(value, strict=False)
        address = ip_address(value.partition("/")[0])
    except ValueError:
        refuse("must be an address such as 10.1.2.3, or a network such as 10.0.0.0/8")
    meant = _unmapped(written)
    if address != written.network_address:
        refuse(f"has bits set beyond its prefix; did you mean {meant}?")
    return meant


def _unmapped(written: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """The address a caller has is compared as IPv4 wherever it can be, so that a mapped network would fit nobody."""
    if isinstance(written, IPv6Network) and written.prefixlen >= _MAPPED_PREFIX:
        mapped = written.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, written.prefixlen - _MAPPED_PREFIX))
    return written


def workspace_name(value: str) -> str:
    """A workspace's name. Raises for what is none."""
    if not _WORKSPACE.fullmatch(value):
        refuse("must be 1 to 63 lower-case letters, digits, - or _, and begin with a letter or a digit")
    return value


def _workspaces(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        refuse("must be a list of workspaces, or * for everybody")
    if EVERYBODY in names:
        if len(names) > 1:
            refuse("* is everybody: write it alone")
        return (EVERYBODY,)
    return tuple(workspace_name(name) for name in names)


Moment = Annotated[int, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""Unix seconds; written as a date or a time."""
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(network), WithJsonSchema({"type": "string"})]
WorkspaceName = Annotated[str, AfterValidator(workspace_name)]
Workspaces = Annotated[
    tuple[str, ...],
    BeforeValidator(_workspaces),
    WithJsonSchema({"type": ["array", "string"], "items": {"type": "string"}, "minItems": 1}),
]


def concerns(workspaces: tuple[str, ...], workspace: str) -> bool:
    """Whether a part of the document with this list is there for the workspace."""
    return workspace in workspaces or EVERYBODY in workspaces
