"""Who may be sent a request, by what attempts have met: breakers, rate limits, parked credentials and offers. Pure.

The state is kept under what a deployment is called by, so that a reload that changes nothing about it forgets nothing,
and a new secret begins anew. All of it is bounded, and what is asked for every request takes the same time however
much is known.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from weakref import WeakValueDictionary

import msgspec

from headgate.routing.breaker import Breaker
from headgate.routing.observed import LONGEST_NAME
from headgate.routing.parking import DAY_S, HOUR_S, NEVER, Limit, Parked, Parking
from headgate.routing.places import CredentialKey, OfferKey, Permit, Place, Server, ServerKey, new_place
from headgate.routing.standing import OK, Condition, Standing, span
from headgate.types.by_identity import ByIdentity
from headgate.types.deployment import Candidate, Deployment
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy
from headgate.types.secret import Secret

MOST_DEPLOYMENTS = 10_000
MOST_NOTICES = 1_000

COUNTED = frozenset(
    {
        FaultClass.OVERLOADED,
        FaultClass.SERVER_ERROR,
        FaultClass.CONNECT_FAILED,
        FaultClass.RESET,
        FaultClass.NO_FIRST_TOKEN,
        FaultClass.STALLED,
        FaultClass.BROKEN_STREAM,
        FaultClass.SOFT_ERROR,
    }
)
"""Faults that a breaker counts. A request that ran out of its whole time is none: clients may ask for very little."""

FROM_THE_LIVING = frozenset(
    {FaultClass.BAD_REQUEST, FaultClass.CONTENT_FILTERED, FaultClass.CONTEXT_TOO_LONG, FaultClass.UNSUPPORTED}
)
"""Faults that only somebody finds who has read the request: a sign of life."""


class Notice(msgspec.Struct, frozen=True):
    """Something an operator has to see to. `credential` is a name, never a secret."""

    fault: FaultClass
    provider: str
    credential: str
    deployment: str
    words: str


class Health:
    """The health of all deployments. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._here: ByIdentity[Deployment, Place] = ByIdentity()
        self._places: OrderedDict[tuple[str, str, str, str, Secret | None], Place] = OrderedDict()
        self._servers: WeakValueDictionary[ServerKey, Server] = WeakValueDictionary()
        self._credentials: Parking[CredentialKey] = Parking(HOUR_S, DAY_S)
        self._offers: Parking[OfferKey] = Parking(HOUR_S, HOUR_S)
        self._notices: deque[Notice] = deque(maxlen=MOST_NOTICES)

    def standing(self, candidate: Candidate, now: float, policy: HealthPolicy) -> Standing:
        """How a candidate stands. Asking changes nothing."""
        place = self._place(candidate, keep=False)
        breaker = place.server.breaker
        credential = self._credentials.get(place.credential) if self._credentials.known else None
        offer = self._offer(place) if self._offers.known else None
        if credential is not None and now < credential.retry_at:
            return Standing(
                Condition.PARKED_CREDENTIAL,
                False,
                credential.retry_at,
                credential.reason,
                _refused(candidate, credential),
            )
        if offer is not None and now < offer.retry_at:
            why = f"{candidate.deployment.upstream.provider} no longer has this model"
            return Standing(Condition.PARKED_OFFER, False, offer.retry_at, offer.reason, why)
        limited_until, retry_at = place.limit.until, breaker.retry_at
        if now < limited_until and (retry_at is None or retry_at <= limited_until):
            why = "takes no more requests for now, by its own word"
            return Standing(Condition.LIMITED, False, limited_until, FaultClass.RATE_LIMITED, why)
        if retry_at is not None:
            return _broken(place, now, retry_at)
        if breaker.crowded(now, policy):
            why = "has many requests under way and has answered none of them yet"
            return Standing(Condition.CROWDED, False, None, place.server.fault or FaultClass.OVERLOADED, why)
        return (
            OK
            if credential is None and offer is None
            else Standing(Condition.PROBING, True, None, None, "is tried again")
        )

    def begin(self, candidate: Candidate, now: float, policy: HealthPolicy, *, pressed: bool = False) -> Permit | None:
        """Leave to send an attempt, as a probe where one is due; None: it must not be sent.

        `pressed` when nobody else can take the request: then a crowd is no obstacle.
        """
        place = self._place(candidate, keep=True)
        if now < place.limit.until:
            return None
        # Mostly nothing is parked anywhere.
        parked = self._credentials.known or self._offers.known
        if parked and self._is_parked(place, now):
            return None
        passage = place.server.breaker.begin(now, policy, pressed=pressed)
        if passage is None:
            return None
        permit = Permit(candidate, place, passage)
        if parked:
            self._credentials.begin(place.credential, permit, now)
            if place.offer is not None:
                self._offers.begin(place.offer, permit, now)
        return permit

    def heard(self, permit: Permit, now: float) -> None:
        """The first content of an answer has come: it is alive, its credential is taken and its model is there."""
        if permit.over:
            return
        permit.breaker.heard(permit.passage, now)
        self._works(permit)

    def answered(self, permit: Permit, now: float) -> None:
        """The attempt is over, with a whole answer."""
        if permit.over:
            return
        permit.over = True
        permit.breaker.success(permit.passage, now)
        self._works(permit)

    def failed(
        self,
        permit: Permit,
        fault: FaultClass,
        now: float,
        policy: HealthPolicy,
        jitter: float,
        wait_s: float | None = None,
    ) -> None:
        """The attempt is over, with a fault.

        `wait_s` is how long the provider asks to wait, `jitter` a number from 0 to 1.
        """
        if permit.over:
            return
        permit.over = True
        place, breaker, passage = permit.place, permit.breaker, permit.passage
        if fault in COUNTED:
            place.server.fault = fault
            breaker.failure(passage, now, policy, jitter)
        else:
            if fault in FROM_THE_LIVING:
                breaker.heard(passage, now)
            breaker.abandoned(passage)
        if fault is FaultClass.RATE_LIMITED:
            place.limit.refused(passage.at, now, wait_s)
        elif fault in (FaultClass.QUOTA_EXHAUSTED, FaultClass.BAD_CREDENTIAL):
            self._park_credential(permit, fault, now, wait_s)
        elif fault is FaultClass.MODEL_NOT_FOUND and place.offer is not None:
            self._park_offer(permit, place.offer, now)
        self._give_back(permit)

    def abandon(self, permit: Permit) -> None:
        """The attempt was given up for a reason of our own, such as a client that left."""
        if permit.over:
            return
        permit.over = True
        permit.breaker.abandoned(permit.passage)
        self._give_back(permit)

    def forget(self, candidate: Candidate) -> None:
        """Let a candidate be tried at once, whatever was known of it, its credential and its offer."""
        place = self._place(candidate, keep=True)
        place.server.breaker, place.server.fault, place.limit = Breaker(), None, Limit()
        self._credentials.forget(place.credential)
        if place.offer is not None:
            self._offers.forget(place.offer)

    def clear(self) -> None:
        """Forget everything of everybody."""
        self._here = ByIdentity()
        self._places.clear()
        self._servers.clear()
        self._credentials, self._offers = Parking(HOUR_S, DAY_S), Parking(HOUR_S, HOUR_S)
        self._notices.clear()

    def drain(self) -> list[Notice]:
        """What operators have to be told since the last call: each once, until it works again and fails anew."""
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def _park_credential(self, permit: Permit, fault: FaultClass, now: float, wait_s: float | None) -> None:
        key, refused = permit.place.credential, fault is FaultClass.BAD_CREDENTIAL
        began = permit.passage.at
        if not self._credentials.park(key, fault, began=began, now=now, wait_s=wait_s, for_good=refused):
            return
        deployment = permit.candidate.deployment
        subject = f"the credential {deployment.credential.name!r} of {deployment.upstream.provider}"
        parked = self._credentials.get(key)
        if refused:
            self._notify(permit, fault, f"{subject} was refused; it is not used until its secret changes")
        elif parked is not None:
            self._notify(permit, fault, f"{subject} has used up its quota; next try in {span(parked.until - now)}")

    def _park_offer(self, permit: Permit, key: OfferKey, now: float) -> None:
        if self._offers.park(key, FaultClass.MODEL_NOT_FOUND, began=permit.passage.at, now=now):
            provider, _, upstream_id, _ = key
            words = f"{provider} says it has no model {upstream_id!r}; it is asked again every hour"
            self._notify(permit, FaultClass.MODEL_NOT_FOUND, words)

    def _notify(self, permit: Permit, fault: FaultClass, words: str) -> None:
        deployment = permit.candidate.deployment
        self._notices.append(
            Notice(fault, deployment.upstream.provider, deployment.credential.name, deployment.name, words)
        )

    def _works(self, permit: Permit) -> None:
        # Asked for every answer, and mostly nothing is limited or parked.
        place, began = permit.place, permit.passage.at
        if place.limit.until is not NEVER:
            place.limit.succeeded(began)
        if self._credentials.known:
            self._credentials.succeeded(place.credential, began)
        if self._offers.known and place.offer is not None:
            self._offers.succeeded(place.offer, began)

    def _is_parked(self, place: Place, now: float) -> bool:
        return self._credentials.is_parked(place.credential, now) or (
            place.offer is not None and self._offers.is_parked(place.offer, now)
        )

    def _give_back(self, permit: Permit) -> None:
        self._credentials.give_back(permit.place.credential, permit)
        if permit.place.offer is not None:
            self._offers.give_back(permit.place.offer, permit)

    def _server(self, candidate: Candidate) -> Server:
        """What answers for a candidate. A dead provider must not be asked once more for each of its credentials."""
        upstream = candidate.deployment.upstream
        key = (upstream.provider, upstream.base_url, candidate.upstream_id)
        server = self._servers.get(key)
        if server is None:
            server = self._servers[key] = Server()
        return server

    def _offer(self, place: Place) -> Parked | None:
        return None if place.offer is None else self._offers.get(place.offer)

    def _place(self, candidate: Candidate, *, keep: bool) -> Place:
        """Where a candidate's state is. What a `*` stood for has a place of its own, once it was sent a request."""
        deployment = candidate.deployment
        own = candidate.upstream_id == deployment.offer.upstream_id
        if own and (place := self._here.get(deployment)) is not None:
            return place
        if len(candidate.upstream_id) > LONGEST_NAME:
            # A client makes such a name up; to remember it would fill the memory with what clients send.
            return new_place(candidate, Server())
        upstream, credential = deployment.upstream, deployment.credential
        key = (upstream.provider, upstream.base_url, candidate.upstream_id, credential.name, credential.secret)
        place = self._places.get(key)
        if place is None:
            if not keep and not own:
                return new_place(candidate, self._server(candidate))
            place = new_place(candidate, self._server(candidate))
            self._places[key] = place
            if len(self._places) > MOST_DEPLOYMENTS:
                self._places.popitem(last=False)
        else:
            self._places.move_to_end(key)
        if own:
            self._here.set(deployment, place)
        return place


def _refused(candidate: Candidate, parked: Parked) -> str:
    name = candidate.deployment.credential.name
    if parked.reason is FaultClass.QUOTA_EXHAUSTED:
        return f"its credential {name!r} has used up its quota"
    return f"its credential {name!r} was refused, and is not used until its secret changes"


def _broken(place: Place, now: float, retry_at: float) -> Standing:
    reason = place.breaker.reason
    if now >= retry_at:
        return Standing(Condition.PROBING, True, None, place.server.fault, f"is tried again after {reason}")
    if place.breaker.probing:
        return Standing(Condition.PROBING, False, retry_at, place.server.fault, f"is being tried again after {reason}")
    return Standing(Condition.COOLING, False, retry_at, place.server.fault, f"sits out after {reason}")
