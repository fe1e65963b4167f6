"""What pydantic found, in an operator's words, with the nearest right key."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from headgate.config.document import Document
from headgate.config.fields import REFUSED
from headgate.config.problems import Path, render_path, shorten
from headgate.routing.names import nearest

_NUMBER_TYPES = frozenset({"int_parsing", "int_type", "int_from_float", "int_parsing_size"})
_FLOAT_TYPES = frozenset({"float_parsing", "float_type", "finite_number"})
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_FIXED = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of names to settings",
    "model_type": "must be a mapping of settings",
    "string_too_short": "is empty",
}


def in_words(error: ErrorDetails, origin: tuple[str, ...] = ()) -> str:
    """What is wrong and the way out.

    A value that came from environment variables (`origin`) is not repeated: it may be a secret in the wrong place.
    """
    kind, context = error["type"], error.get("ctx", {})
    value = _Unshown(origin) if origin else error["input"]
    if kind == REFUSED:
        return str(context["words"])
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"])
    if kind == "missing":
        return "is missing" + _article(error["loc"])
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _NUMBER_TYPES:
        return f"must be a whole number{_given(value)}"
    if kind in _FLOAT_TYPES:
        return f"must be a number{_given(value)}"
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        limit = context[key]
        return f"must be {words} {int(limit) if limit == int(limit) else limit}{_given(value)}"
    if kind in ("literal_error", "enum"):
        return _one_of(str(context["expected"]), value)
    if kind == "too_short":
        return "must not be empty"
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    return error["msg"]


class _Unshown:
    """Stands for a value of which only the variables may be named."""

    def __init__(self, origin: tuple[str, ...]) -> None:
        self.names = " ".join(f"${name}" for name in origin)


def _given(value: Any) -> str:
    if isinstance(value, _Unshown):
        return f", which {value.names} is not"
    return f", not {shorten(repr(value), 40)}" if isinstance(value, str | int | float) else ""


def _one_of(expected: str, value: Any) -> str:
    words = [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]
    listed = ", ".join(words)
    near = nearest(value, words, 1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"must be one of {listed}{_given(value)}{hint}"


def _article(path: Path) -> str:
    """What the missing thing is for, from its description."""
    fields = _fields_at(path[:-1])
    field = fields.get(str(path[-1])) if fields else None
    return f" ({field.description})" if field is not None and field.description else ""


def _unknown_key(path: Path) -> str:
    key = str(path[-1])
    known = list(_fields_at(path[:-1]) or ())
    near = nearest(key, known, 1)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    home = next((place for place in _homes(key) if place), None)
    if home:
        return f"unknown key; {key} belongs under {home}"
    return f"unknown key; known here: {', '.join(known)}"


def _homes(key: str) -> list[str]:
    """Top-level parts in which the key would have been right."""
    found = []
    for name, field in Document.model_fields.items():
        model = _model_of(field.annotation)
        if model is not None and key in model.model_fields:
            found.append(render_path((name,)))
    if key in Document.model_fields:
        found.append("the top of the document")
    return found


def _fields_at(path: Path) -> dict[str, Any] | None:
    """The fields of the mapping at a path, or None when it holds free names."""
    annotation: Any = Document
    for step in path:
        annotation = _bare(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(step))
            if field is None:
                return None
            annotation = field.annotation
        elif get_origin(annotation) in (dict, list):
            annotation = get_args(annotation)[-1]
        else:
            return None
    annotation = _bare(annotation)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return dict(annotation.model_fields) if is_model else None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that stands under a field, through optional, list and dict."""
    annotation = _bare(annotation)
    if get_origin(annotation) in (dict, list):
        return _model_of(get_args(annotation)[-1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _bare(annotation: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(arg for arg in get_args(annotation) if arg is not type(None)))
    return annotation
