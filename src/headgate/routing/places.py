"""What health is kept by: a server for all credentials of a model at one address, a place for each of them."""

from __future__ import annotations

from headgate.routing.breaker import Breaker
from headgate.routing.crowd import Passage
from headgate.routing.parking import Limit
from headgate.types.deployment import Candidate
from headgate.types.fault import FaultClass
from headgate.types.secret import Secret

CredentialKey = tuple[str, str, str, Secret | None]
OfferKey = tuple[str, str, str, Secret | None]
ServerKey = tuple[str, str, str]


class Server:
    """What answers for one model at one address, whatever credential is sent: its breaker, and its latest fault."""

    __slots__ = ("__weakref__", "breaker", "fault")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.fault: FaultClass | None = None


class Place:
    """What is known of one deployment, and what it is parked by."""

    __slots__ = ("credential", "limit", "offer", "server")

    def __init__(self, credential: CredentialKey, offer: OfferKey | None, server: Server) -> None:
        self.limit = Limit()
        self.credential = credential
        self.offer = offer
        self.server = server

    @property
    def breaker(self) -> Breaker:
        return self.server.breaker


class Permit:
    """Leave for one attempt. It is given back once: by `end` or by `abandon`."""

    __slots__ = ("breaker", "candidate", "over", "passage", "place")

    def __init__(self, candidate: Candidate, place: Place, passage: Passage) -> None:
        self.candidate = candidate
        self.place = place
        # A breaker that is forgotten must not hear of attempts that began under it from its successor.
        self.breaker = place.server.breaker
        self.passage = passage
        self.over = False


def new_place(candidate: Candidate, server: Server) -> Place:
    """A place of which nothing is known yet."""
    deployment = candidate.deployment
    upstream, upstream_id = deployment.upstream, candidate.upstream_id
    # A provider inside this process has no credential: what one of its models says of it is said of that model alone.
    alone = upstream_id if upstream.script is not None else ""
    # Of a name that a client made up, "no such model" says nothing that anybody else has to know.
    listed = upstream_id == deployment.offer.upstream_id
    return Place(
        (upstream.provider, upstream.base_url, alone, deployment.credential.secret),
        # Some providers say so of a project or an account: another credential may still find the model there.
        (upstream.provider, upstream.base_url, upstream_id, deployment.credential.secret) if listed else None,
        server,
    )
