"""What the store says no to, as answers of the admin API."""

from __future__ import annotations

import logging

from headgate.control.failures import Conflict, StoreAway
from headgate.errors import GatewayError, InvalidRequest, NotFound
from headgate.store import errors as store

log = logging.getLogger("headgate")


def as_answer(error: store.StoreError) -> GatewayError:
    """The answer for an error of the store. What an operator must look into goes to the log, not to the caller."""
    if isinstance(error, store.NotFound):
        return nothing_here()
    if isinstance(error, store.Duplicate):
        return Conflict(str(error), code="duplicate")
    if isinstance(error, store.Refused):
        return Conflict(str(error), code="refused")
    if isinstance(error, store.BadValue):
        return InvalidRequest("a value is one that no database can keep", code="refused_value")
    if isinstance(error, store.StoreUnavailable):
        log.warning("the admin API cannot reach the store: %s", error)
        return StoreAway()
    log.error("the store failed: %s", error)
    if isinstance(error, store.WrongMasterKey | store.BadMasterKey | store.SealBroken):
        return GatewayError("the master key cannot be used; the gateway's log says why", code="master_key")
    return GatewayError("the store failed; the gateway's log says more", code="store_failed")


def nothing_here() -> NotFound:
    """The one 404 for whatever is not there, is another workspace's, or never was."""
    return NotFound("there is no such thing in this workspace")
