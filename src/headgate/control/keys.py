"""Virtual keys: made, listed, changed, rotated, disabled and deleted."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import Query

from headgate.config.document import KeyPart
from headgate.control.actor import Actor
from headgate.control.calls import Call, InOne, InOneOrEvery
from headgate.control.ceiling import ceiling_of, check_limits, check_may_lift, check_models, end_within
from headgate.control.common import Source
from headgate.control.context import Control
from headgate.control.declared import declared_key_id, has_key, keys_of, name_taken, read_only
from headgate.control.failures import Forbidden
from headgate.control.fields import Id
from headgate.control.key_shapes import KeyBody, KeyPatch, KeySecret, KeyView, RotateBody, declared_view, key_view
from headgate.control.models import check_known
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, merged_page
from headgate.control.permissions import Permission, Role
from headgate.control.store_failures import nothing_here
from headgate.store.errors import NotFound
from headgate.store.records import Key, Token
from headgate.types.policy import KeyLimits

Listed = Key | KeyPart


class Keys:
    """The endpoints below /api/keys."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        read, change = Permission.KEYS_READ, Permission.KEYS_CHANGE
        mount.route("GET", "/keys", self.page, permission=read)
        mount.route("POST", "/keys", self.create, permission=change, status=201, errors=(409,))
        mount.route("GET", "/keys/{id}", self.get, permission=read)
        mount.route("PATCH", "/keys/{id}", self.update, permission=change, errors=(409,))
        mount.route("DELETE", "/keys/{id}", self.delete, permission=change, status=204, errors=(409,))
        mount.route("POST", "/keys/{id}/rotate", self.rotate, permission=change, errors=(409,))
        mount.route("POST", "/keys/{id}/disable", self.disable, permission=change, errors=(409,))
        mount.route("POST", "/keys/{id}/enable", self.enable, permission=change, errors=(409,))

    def page(
        self,
        call: InOneOrEvery,
        limit: PageSize = 50,
        after: Cursor = None,
        name: Annotated[str | None, Query(max_length=100, description="Only the key of this name.")] = None,
        state: Annotated[Literal["enabled", "disabled"] | None, Query(description="Only these.")] = None,
        source: Annotated[Source | None, Query(description="Only what is declared there.")] = None,
        creator: Annotated[
            str | None, Query(max_length=100, description="Only keys made by the token of this id.")
        ] = None,
    ) -> Page[KeyView]:
        """List keys, those of the document first."""

        def keep(item: Listed) -> bool:
            disabled = isinstance(item, Key) and item.disabled_at is not None
            return (
                (name is None or item.name == name)
                and (state is None or disabled == (state == "disabled"))
                and (source is None or (source == "store") == isinstance(item, Key))
                and (creator is None or (isinstance(item, Key) and item.creator_token == creator))
            )

        def stored(last: str, most: int) -> list[tuple[str, Listed]]:
            keys = self._store.keys.list(workspace=call.workspace, after=last, limit=most)
            return [(key.id, key) for key in keys]

        declared: list[Listed] = list(keys_of(self._control.document(), call.workspace).values())
        items, following = merged_page(declared, stored, after=after, limit=limit, keep=keep)
        return Page(data=[self._view(item) for item in items], next=following)

    def create(self, call: InOne, body: KeyBody) -> KeySecret:
        """Make a key. Its secret is in this reply and nowhere else."""
        loaded, actor = self._control.document(), call.actor
        models = tuple(body.models) if body.models is not None else actor.models
        if has_key(loaded, call.within, body.name):
            raise name_taken(loaded, f"a key {body.name}")
        ceiling = [ceiling_of(actor)]
        check_models(models, ceiling)
        check_limits(body.limits.limits() if body.limits else KeyLimits(), ceiling)
        if body.models is not None and not body.allow_unknown_models:
            check_known(models, self._control.snapshot_of(call.within))
        key, secret = self._store.keys.create(
            call.within,
            body.fields(models, end_within(body.expires_at, actor.expires_at)),
            actor=actor.signature,
            creator_token=actor.token,
            budgets=[budget.budget() for budget in body.budgets],
        )
        self._control.changed()
        return KeySecret(key=self._view(key), secret=secret.reveal())

    def get(self, call: InOneOrEvery, id: Id) -> KeyView:
        """Read one key."""
        declared = keys_of(self._control.document(), call.workspace).get(id)
        return declared_view(id, declared) if declared else self._view(self._store.keys.get(call.workspace, id))

    def update(self, call: InOne, id: Id, body: KeyPatch) -> KeyView:
        """Change what is in the body, and nothing else of the key."""
        key = self._own(call, id)
        check_may_lift(self._store, call.actor, key)
        creator = self._creator(call.actor, key)
        ceilings = [ceiling_of(call.actor), ceiling_of(creator)]
        given = body.model_fields_set
        if "name" in given and has_key(self._control.document(), call.within, body.name):
            raise name_taken(self._control.document(), f"a key {body.name}")
        if "models" in given:
            check_models(tuple(body.models), ceilings)
            if not body.allow_unknown_models:
                check_known(body.models, self._control.snapshot_of(call.within))
        if body.limits is not None:
            check_limits(body.limits.limits(), ceilings)
        change = body.change()
        if "expires_at" in given:
            ends = end_within(body.expires_at, call.actor.expires_at, creator.expires_at)
            change = msgspec.structs.replace(change, expires_at=ends)
        actor = call.actor.signature
        key = self._store.keys.update(call.workspace, id, change, actor=actor)
        if "budgets" in given:
            budgets = [budget.budget() for budget in body.budgets]
            self._store.budgets.replace(call.workspace, f"key:{id}", budgets, actor=actor)
        self._control.changed()
        return self._view(key)

    def delete(self, call: InOne, id: Id) -> None:
        """Delete a key for good. It stops working at once."""
        self._own(call, id)
        self._store.keys.delete(call.workspace, id, actor=call.actor.signature)
        self._control.changed()

    def rotate(self, call: InOne, id: Id, body: RotateBody | None = None) -> KeySecret:
        """Give a key another secret; the one before works for `grace_s` seconds more."""
        check_may_lift(self._store, call.actor, self._own(call, id))
        grace_s = body.grace_s if body else 0
        key, secret = self._store.keys.rotate(call.workspace, id, grace_s=grace_s, actor=call.actor.signature)
        self._control.changed()
        return KeySecret(key=self._view(key), secret=secret.reveal())

    def disable(self, call: InOne, id: Id) -> KeyView:
        """Stop a key from working, within a second."""
        self._own(call, id)
        key = self._store.keys.disable(call.workspace, id, actor=call.actor.signature)
        self._control.changed()
        return self._view(key)

    def enable(self, call: InOne, id: Id) -> KeyView:
        """Let a disabled key work again."""
        check_may_lift(self._store, call.actor, self._own(call, id))
        key = self._store.keys.enable(call.workspace, id, actor=call.actor.signature)
        self._control.changed()
        return self._view(key)

    def _own(self, call: Call, id: str) -> Key:
        """A key the caller may change. Raises NotFound, Conflict for one of the document, Forbidden for another's."""
        loaded = self._control.document()
        declared = keys_of(loaded, call.workspace).get(id)
        if declared is not None:
            raise read_only(loaded, f"the key {declared.name}")
        key = self._store.keys.get(call.workspace, id)
        made_it = call.actor.token is not None and key.creator_token == call.actor.token
        if not made_it and not call.actor.role.includes(Role.ADMIN):
            raise Forbidden(f"the role {call.actor.role} may change only keys that its own token made")
        return key

    def _creator(self, actor: Actor, key: Key) -> Actor | Token:
        """Whose ceiling holds for the key beside the caller's own, whoever changes it."""
        if key.creator_token is None or key.creator_token == actor.token:
            return actor
        try:
            return self._store.tokens.get(None, key.creator_token)
        except NotFound:
            raise nothing_here() from None

    def _view(self, item: Listed) -> KeyView:
        if isinstance(item, KeyPart):
            return declared_view(declared_key_id(item.name), item)
        return key_view(item, [record.budget for record in self._store.budgets.of(item.workspace, f"key:{item.id}")])
