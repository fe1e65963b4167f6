"""YAML text → nodes that remember their lines.

Built on the parser's events and not on its composer, so that depth, duplicate keys and aliases are ours to judge:
no tag constructs anything, and nesting cannot exhaust the C stack. Scalars follow YAML 1.2's core schema, where
`no`, `on` and `12:30` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import yaml

MAX_DEPTH = 64
_STANDARD_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAX_DIGITS = 300
_MAX_MERGED = 20_000

# In `{api_key: ${NAME}}` YAML would take the inner braces for a mapping of their own. References are swapped for marks
# that mean nothing to YAML, and come back in the text of the scalars.
_REFERENCE = re.compile(r"""\$\$\{(?:[^}"'\\\n\r]*\})?|\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}"'\\\n\r]*)?\}""")
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")

Value = str | int | float | bool | None


class SourceError(Exception):
    """The text is not YAML we accept; `line` counts from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Scalar(msgspec.Struct, eq=False):
    line: int
    value: Value


class Sequence(msgspec.Struct, eq=False):
    line: int
    items: list[Node]


class Entry(msgspec.Struct, eq=False):
    """A key of a mapping with its own line."""

    line: int
    key: str
    value: Node


class Repeat(msgspec.Struct, frozen=True):
    """A key that a mapping holds a second time."""

    key: str
    first_line: int
    line: int


class Mapping(msgspec.Struct, eq=False):
    """A mapping; of a repeated key the first is an entry, the others are only noted."""

    line: int
    entries: list[Entry]
    repeats: list[Repeat]


Node = Scalar | Sequence | Mapping


def parse_yaml(text: str) -> Node | None:
    """Parse one YAML document; None when there is nothing in it. Raises SourceError."""
    reader = _Reader(text)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise SourceError(_in_words(error), line) from None
    except yaml.YAMLError as error:
        raise SourceError(f"not valid YAML: {str(error).splitlines()[0]}", None) from None


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "cannot start any token" in problem:
        return "not valid YAML: a character that cannot stand here (a tab is not indentation; quote @, ` and %)"
    if problem == "mapping values are not allowed in this context":
        return "not valid YAML: a ':' that cannot stand here; check the indentation, or quote the text"
    if problem == "did not find expected key":
        return "not valid YAML: this is not where a key is expected; check the indentation"
    return f"not valid YAML: {problem}"


class _Reader:
    """Turns the parser's events into nodes, one recursion level for each level of the document."""

    def __init__(self, text: str) -> None:
        self._references: list[str] = []
        if _OPEN not in text:
            text = _REFERENCE.sub(self._mark, text)
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
        self._anchors: dict[str, Node | None] = {}
        self._merged = 0

    def _mark(self, reference: re.Match[str]) -> str:
        self._references.append(reference.group(0))
        return f"{_OPEN}{len(self._references) - 1}{_CLOSE}"

    def _unmark(self, text: str) -> str:
        if not self._references or _OPEN not in text:
            return text
        return _MARK.sub(lambda mark: self._references[int(mark.group(1))], text)

    def document(self) -> Node | None:
        root: Node | None = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise SourceError("a second YAML document begins here; only one is read", _line(event))
                seen = True
                root = self._node(next(self._events), 0)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise SourceError(f"nested more than {MAX_DEPTH} levels deep", _line(event))
        assert isinstance(event, yaml.NodeEvent)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
            node = Scalar(_line(event), self._unmark(value) if isinstance(value, str) else value)
        elif isinstance(event, yaml.SequenceStartEvent):
            _refuse_tag(event, "seq")
            node = self._sequence(_line(event), depth)
        else:
            assert isinstance(event, yaml.MappingStartEvent)
            _refuse_tag(event, "map")
            node = self._mapping(_line(event), depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise SourceError(f"*{event.anchor} refers to an anchor that is not defined above it", _line(event))
        node = self._anchors[event.anchor]
        if node is None:
            raise SourceError(f"*{event.anchor} refers to itself", _line(event))
        return node

    def _sequence(self, line: int, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(line, items)

    def _mapping(self, line: int, depth: int) -> Mapping:
        entries: list[Entry] = []
        merged: list[Entry] = []
        repeats: list[Repeat] = []
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key, key_line = self._unmark(_key(event)), _line(event)
            value = self._node(next(self._events), depth + 1)
            if merge:
                merged += self._merge(value, key_line)
                continue
            if key in lines:
                repeats.append(Repeat(key, lines[key], key_line))
                continue
            lines[key] = key_line
            entries.append(Entry(key_line, key, value))
        for entry in merged:
            if entry.key not in lines:
                lines[entry.key] = entry.line
                entries.append(entry)
        return Mapping(line, entries, repeats)

    def _merge(self, value: Node, line: int) -> list[Entry]:
        found: list[Entry] = []
        for source in value.items if isinstance(value, Sequence) else [value]:
            if not isinstance(source, Mapping):
                raise SourceError("<< takes a mapping, or a list of mappings", line)
            self._merged += len(source.entries)
            if self._merged > _MAX_MERGED:  # a few lines of << over each other can cost minutes
                raise SourceError(f"<< brings in more than {_MAX_MERGED:,} keys", line)
            found += source.entries
        return found


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None  # every event that is parsed from text has one
    return int(event.start_mark.line) + 1


def _key(event: yaml.Event) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise SourceError("a key must be plain text", _line(event))
    if event.implicit[0] and event.value in ("", "~", "null"):
        raise SourceError("a key is missing before ':'", _line(event))
    if event.tag is not None and event.tag not in ("!", _STANDARD_TAG + "str"):
        raise SourceError(f"the tag {event.tag} is not supported", _line(event))
    return str(event.value)


def _refuse_tag(event: yaml.CollectionStartEvent, kind: str) -> None:
    if event.tag is not None and event.tag not in ("!", _STANDARD_TAG + kind):
        raise SourceError(f"the tag {event.tag} is not supported", _line(event))


def _scalar(event: yaml.ScalarEvent) -> Value:
    text: str = event.value
    if event.tag is not None:
        if event.tag in ("!", _STANDARD_TAG + "str"):
            return text
        raise SourceError(f"the tag {event.tag} is not supported; quotes make text of a value", _line(event))
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:  # int() refuses very long numbers, and nobody means one
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".nan", "nan"))
    return text
