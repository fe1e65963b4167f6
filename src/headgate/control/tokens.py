"""Admin tokens: made, listed and revoked. None is ever changed, so nobody can lift a role, least of all their own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headgate.control.calls import Call, InOneOrEvery
from headgate.control.ceiling import ABOVE, ceiling_of, check_models, end_within
from headgate.control.common import LimitsBody, LimitsView, limits_view
from headgate.control.context import Control
from headgate.control.failures import Forbidden
from headgate.control.fields import Fields, FutureInstant, Glob, Id, Line, View, instant_text
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, merged_page
from headgate.control.permissions import Permission, Role
from headgate.store.records import Token, TokenFields
from headgate.types.policy import KeyLimits
from headgate.types.principal import ANY_MODEL

RoleName = Literal["viewer", "developer", "admin", "owner"]


class TokenBody(Fields):
    """A new admin token, for the workspace of the request; with `?workspace=*` for every workspace."""

    name: Line = Field(description="Who holds it, as the audit log will say.")
    role: RoleName = Field(description="At most the caller's own.")
    models: list[Glob] | None = Field(
        default=None, min_length=1, max_length=100, description="What keys it makes may ask for, at most."
    )
    limits: LimitsBody | None = Field(default=None, description="What all its keys together may use, at most.")
    expires_at: FutureInstant | None = Field(default=None, description="From then on it opens nothing.")


class TokenView(View):
    """An admin token. `workspace` is null for one of every workspace."""

    id: str
    name: str
    role: RoleName
    workspace: str | None
    models: list[str] | None
    limits: LimitsView
    created_by: str
    created_at: str | None
    expires_at: str | None
    revoked_at: str | None


class TokenSecret(View):
    """A token with its secret, which is shown once."""

    token: TokenView
    secret: str = Field(description="Keep it now: only its hash is stored.")


class Tokens:
    """The endpoints below /api/tokens."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        mount.route("GET", "/tokens", self.page, permission=Permission.TOKENS_READ)
        mount.route("POST", "/tokens", self.create, permission=Permission.TOKENS_CHANGE, status=201)
        mount.route("GET", "/tokens/{id}", self.get, permission=Permission.TOKENS_READ)
        mount.route("DELETE", "/tokens/{id}", self.revoke, permission=Permission.TOKENS_CHANGE, status=204)

    def page(self, call: InOneOrEvery, limit: PageSize = 50, after: Cursor = None) -> Page[TokenView]:
        """List tokens, revoked ones as well."""

        def stored(last: str, most: int) -> list[tuple[str, TokenView]]:
            tokens = self._store.tokens.list(workspace=call.workspace, after=last, limit=most)
            return [(token.id, token_view(token)) for token in tokens]

        items, following = merged_page([], stored, after=after, limit=limit)
        return Page(data=items, next=following)

    def create(self, call: InOneOrEvery, body: TokenBody) -> TokenSecret:
        """Make a token. Its secret is in this reply and nowhere else."""
        fields = self._fields(call, body)
        token, secret = self._store.tokens.create(fields, actor=call.actor.signature)
        self._control.changed()
        return TokenSecret(token=token_view(token), secret=secret.reveal())

    def get(self, call: InOneOrEvery, id: Id) -> TokenView:
        """Read one token."""
        return token_view(self._store.tokens.get(call.workspace, id))

    def revoke(self, call: InOneOrEvery, id: Id) -> None:
        """Take a token back for good. It opens nothing from the next request on; its keys go on working."""
        token = self._store.tokens.get(call.workspace, id)
        if not call.actor.role.includes(Role(token.role)):
            raise Forbidden(f"the role {call.actor.role} may not revoke a token with the role {token.role}")
        self._store.tokens.revoke(call.workspace, id, actor=call.actor.signature)
        self._control.changed()

    def _fields(self, call: Call, body: TokenBody) -> TokenFields:
        """What is stored, once it is sure that it reaches no further than the caller. Raises Forbidden."""
        actor = call.actor
        if not actor.role.includes(Role(body.role)):
            raise Forbidden(f"role: {body.role} is more than the caller's own, {actor.role}", param="role")
        # Neither can be handed on in part: what a new token's keys use counts for the new token alone.
        if actor.token is not None and self._store.budgets.of(None, f"token:{actor.token}"):
            raise Forbidden("a token with a budget makes no tokens: theirs would spend beside it", code=ABOVE)
        if actor.limits != KeyLimits():
            raise Forbidden("a token with limits makes no tokens: theirs would be counted beside it", code=ABOVE)
        models = tuple(body.models) if body.models is not None else actor.models
        check_models(models, [ceiling_of(actor)])
        return TokenFields(
            name=body.name,
            role=body.role,
            workspace=call.workspace,
            models=None if models == ANY_MODEL else models,
            limits=body.limits.limits() if body.limits else KeyLimits(),
            expires_at=end_within(body.expires_at, actor.expires_at),
        )


def token_view(token: Token) -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        role=Role(token.role).value,
        workspace=token.workspace,
        models=None if token.models is None else list(token.models),
        limits=limits_view(token.limits),
        created_by=token.created_by,
        created_at=instant_text(token.created_at),
        expires_at=instant_text(token.expires_at),
        revoked_at=instant_text(token.revoked_at),
    )
