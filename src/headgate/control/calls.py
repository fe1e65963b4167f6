"""Who calls, and in which workspace: what every endpoint gets first."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import Depends, Query, Request

from headgate.control.actor import Actor
from headgate.control.context import Control
from headgate.control.store_failures import nothing_here
from headgate.store.errors import NotFound
from headgate.types.principal import DEFAULT_WORKSPACE

EVERY = "*"
"""In place of a workspace's name: all of them, and what belongs to none."""

Chosen = Annotated[
    str | None,
    Query(
        description="The workspace. A token that is bound to one needs none; one of every workspace gets `default`.",
        max_length=100,
    ),
]
ChosenOrEvery = Annotated[
    str | None,
    Query(description="As elsewhere; a token of every workspace may also ask for `*`, all of them.", max_length=100),
]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A caller, and the workspace it works in; None stands for every workspace."""

    actor: Actor
    workspace: str | None

    @property
    def within(self) -> str:
        """The one workspace. For endpoints that do not take `*`."""
        if self.workspace is None:
            raise nothing_here()
        return self.workspace


def in_one(request: Request, workspace: Chosen = None) -> Call:
    """A call in one workspace. Raises NotFound for one that is not there or that the caller must not know of."""
    actor: Actor = request.state.actor
    control: Control = request.app.state.control
    return Call(actor=actor, workspace=_seen(actor, control, workspace))


def in_one_or_every(request: Request, workspace: ChosenOrEvery = None) -> Call:
    """A call in one workspace or in all of them."""
    actor: Actor = request.state.actor
    if workspace == EVERY and actor.workspace is None:
        return Call(actor=actor, workspace=None)
    return in_one(request, workspace)


def _seen(actor: Actor, control: Control, named: str | None) -> str:
    name = named if named is not None else actor.workspace or DEFAULT_WORKSPACE
    # Looked up before it is judged: another's workspace takes the same work as one that is not there.
    there = is_there(control, name)
    if not there or not actor.sees(name):
        raise nothing_here()
    return name


def is_there(control: Control, name: str) -> bool:
    """Whether there is a workspace of the name."""
    try:
        control.store.workspaces.get(name)
    except NotFound:
        return False
    return True


InOne = Annotated[Call, Depends(in_one)]
InOneOrEvery = Annotated[Call, Depends(in_one_or_every)]
