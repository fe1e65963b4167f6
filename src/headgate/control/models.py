"""Whether a model pattern can admit anything that is configured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.errors import InvalidRequest
from headgate.routing.names import nearest
from headgate.types.principal import ANY_MODEL, admits
from headgate.types.snapshot import Snapshot


def check_known(patterns: Iterable[str], snapshot: Snapshot | None) -> None:
    """Raise InvalidRequest for the first pattern that nothing fits: it is most likely misspelt."""
    if snapshot is None:
        return
    for index, pattern in enumerate(patterns):
        if (pattern,) == ANY_MODEL or fits_something(pattern, snapshot):
            continue
        near = nearest(pattern.replace("*", ""), _names(snapshot), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidRequest(
            f"models[{index}]: nothing that is configured fits {pattern}{hint} "
            "(allow_unknown_models: true takes it as it is)",
            param=f"models[{index}]",
            code="matches_nothing",
        )


def fits_something(pattern: str, snapshot: Snapshot) -> bool:
    """Whether some name that clients can ask for fits the pattern."""
    if any(admits((pattern,), name) for name in _names(snapshot)):
        return True
    return any(_overlap(pattern, open_name) for open_name in _open_names(snapshot))


def _names(snapshot: Snapshot) -> Iterator[str]:
    yield from snapshot.routes
    yield from snapshot.models
    yield from snapshot.aliases
    yield from snapshot.listed
    for provider, ids in snapshot.pins.items():
        for upstream_id in ids:
            yield f"{provider}/{upstream_id}"


def _open_names(snapshot: Snapshot) -> Iterator[str]:
    """Names with a `*`, behind which stands whatever a client writes."""
    for route in snapshot.patterns:
        yield route.name
    for provider, deployments in snapshot.open_pins.items():
        for deployment in deployments:
            yield f"{provider}/{deployment.offer.upstream_id}"


def _overlap(pattern: str, other: str) -> bool:
    """Whether one text could fit both; it errs towards yes."""
    if "*" not in pattern:
        return admits((other,), pattern)
    begin, other_begin = pattern.partition("*")[0], other.partition("*")[0]
    end, other_end = pattern.rpartition("*")[2], other.rpartition("*")[2]
    return (begin.startswith(other_begin) or other_begin.startswith(begin)) and (
        end.endswith(other_end) or other_end.endswith(end)
    )
