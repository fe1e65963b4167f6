"""What has changed between two copies of a provider's list, figure by figure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headgate.types.listing import ListedModel

MODEL = "model"
"""The figure that says whether a model is there at all."""
LIST = "list"
"""The figure of the first copy: what is in it has changed from nothing known, model by model."""


class Change(msgspec.Struct, frozen=True):
    """One figure of one model that is another than before; None where nothing was, or is, said of it."""

    id: str
    figure: str
    before: str | None
    after: str | None


def changes(before: Iterable[ListedModel] | None, after: Iterable[ListedModel]) -> tuple[Change, ...]:
    """Every change from one copy to the next; of a first copy only that it is there, and how many models it has."""
    listed = {model.id: model for model in after}
    if before is None:
        return (Change("", LIST, None, f"{len(listed)} models"),)
    known = {model.id: model for model in before}
    found = [Change(id, MODEL, "listed", None) for id in known if id not in listed]
    for id, model in listed.items():
        was = known.get(id)
        if was is None:
            found.append(Change(id, MODEL, None, "listed"))
        elif was != model:
            found += _figures_changed(was, model)
    return tuple(found)


def _figures_changed(before: ListedModel, after: ListedModel) -> list[Change]:
    old, new = figures(before), figures(after)
    names = sorted({*old, *new})
    return [Change(after.id, name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def figures(model: ListedModel) -> dict[str, str]:
    """What is said of a model, each figure by its name, as text."""
    found = {figure: f"{value:f}" for figure, value in model.prices}
    for tier in model.tiers:
        found |= {f"tiers.{tier.above_tokens}.{figure}": f"{value:f}" for figure, value in tier.prices}
    for name in ("kind", "context_tokens", "max_input_tokens", "max_output_tokens", "quantization", "retires_on"):
        if (value := getattr(model, name)) is not None:
            found[name] = str(value)
    for name in ("capabilities", "lacks", "aliases"):
        if words := getattr(model, name):
            found[name] = ", ".join(sorted(words))
    if model.free:
        found["free"] = "yes"
    return found
