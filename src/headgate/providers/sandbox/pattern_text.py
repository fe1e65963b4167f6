"""A text for a regular expression, by reading the expression and never by running it.

The pattern is the client's: matching it could take for ever, writing the shortest thing it describes cannot.
"""

from __future__ import annotations

_MAX_CHARS = 2000
_MAX_PATTERN = 1000
_MAX_DEPTH = 30
_CANDIDATES = "a1A-_ .,:/@#bcdefghijklmnopqrstuvwxyz023456789BCDEFGHIJKLMNOPQRSTUVWXYZ!$%&()*+;<=>?[]^`{|}~\"'\\"
_CATEGORIES = {
    "d": "0123456789",
    "w": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_",
    "s": " \t\n",
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}


class _Unreadable(Exception):
    """The expression uses something this module does not know."""


def pattern_text(pattern: str, least: int, most: int) -> str | None:
    """A text of `least` to `most` characters that the pattern describes; None when none was found."""
    if len(pattern) > _MAX_PATTERN:
        return None
    for repeats in (1, least, (least + 1) // 2, 0):
        try:
            reader = _Reader(pattern, min(repeats, _MAX_CHARS))
            text = reader.alternatives(0)
        except _Unreadable:
            return None
        if any("\ud800" <= char <= "\udfff" for char in text):
            return None  # half of a surrogate pair cannot be sent
        if reader.at == len(pattern) and least <= len(text) <= most:
            return text
    return None


class _Reader:
    """Reads once from left to right. `repeats` is how often an unlimited quantifier repeats."""

    def __init__(self, pattern: str, repeats: int) -> None:
        self._pattern = pattern
        self._repeats = repeats
        self.at = 0

    def alternatives(self, depth: int) -> str:
        """The text of the first alternative; the others are read over."""
        if depth > _MAX_DEPTH:
            raise _Unreadable
        first = self._sequence(depth)
        while self._next() == "|":
            self.at += 1
            self._sequence(depth)
        return first

    def _next(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._next()
        if not char:
            raise _Unreadable
        self.at += 1
        return char

    def _sequence(self, depth: int) -> str:
        made: list[str] = []
        length = 0
        while self._next() not in ("", "|", ")"):
            atom = self._atom(depth)
            least, most = self._quantifier()
            count = min(max(least, self._repeats), most)
            length += len(atom) * count
            if length > _MAX_CHARS:
                raise _Unreadable
            made.append(atom * count)
        return "".join(made)

    def _atom(self, depth: int) -> str:
        char = self._take()
        if char in "^$":
            return ""
        if char == ".":
            return "a"
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in "*+?{":
            raise _Unreadable
        return char

    def _group(self, depth: int) -> str:
        if self._next() == "?":
            self.at += 1
            mark = self._take()
            if mark == "P":
                mark = self._take()
            if mark == "<" and self._next() not in "=!":
                while self._take() != ">":
                    pass
            elif mark != ":":
                raise _Unreadable
        text = self.alternatives(depth + 1)
        if self._take() != ")":
            raise _Unreadable
        return text

    def _escape(self) -> str:
        char = self._take()
        if char in "bAZzB":
            return ""
        if char.lower() in _CATEGORIES:
            inside = _CATEGORIES[char.lower()]
            return inside[0] if char.islower() else _first_outside(inside)
        return self._literal(char)

    def _literal(self, char: str) -> str:
        """The character an escape stands for, once categories and boundaries are dealt with."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in "xu":
            digits = self._pattern[self.at : self.at + (2 if char == "x" else 4)]
            self.at += len(digits)
            try:
                return chr(int(digits, 16))
            except ValueError:
                raise _Unreadable from None
        if char.isalnum():
            raise _Unreadable
        return char

    def _class(self) -> str:
        negated = self._next() == "^"
        if negated:
            self.at += 1
        inside = ""
        first = True
        while first or self._next() != "]":
            first = False
            inside += self._members()
        self.at += 1
        return _first_outside(inside) if negated else inside[0]

    def _members(self) -> str:
        """One character, category or range of a class, as the characters it admits (at most a few hundred)."""
        char = self._take()
        if char == "\\":
            char = self._take()
            if char in _CATEGORIES:
                return _CATEGORIES[char]
            if char.lower() in _CATEGORIES:
                outside = _CATEGORIES[char.lower()]
                return "".join(other for other in _CANDIDATES if other not in outside)
            char = "\b" if char == "b" else self._literal(char)
        if self._next() != "-" or self._pattern[self.at + 1 : self.at + 2] in ("]", ""):
            return char
        self.at += 1
        last = self._take()
        if last == "\\":
            last = self._literal(self._take())
        if not char <= last:
            raise _Unreadable
        return "".join(chr(code) for code in range(ord(char), min(ord(last), ord(char) + 255) + 1))

    def _quantifier(self) -> tuple[int, int]:
        """The least and the greatest number of repetitions; one when nothing is said."""
        bounds = {"*": (0, _MAX_CHARS), "+": (1, _MAX_CHARS), "?": (0, 1)}.get(self._next())
        if bounds is not None:
            self.at += 1
        elif self._next() == "{":
            end = self._pattern.find("}", self.at)
            low, comma, high = self._pattern[self.at + 1 : max(end, self.at + 1)].partition(",")
            if not low.isdecimal() or len(low) > 4 or (high and (not high.isdecimal() or len(high) > 9)):
                raise _Unreadable
            bounds = (int(low), int(high) if high else (_MAX_CHARS if comma else int(low)))
            self.at = end + 1
        else:
            return 1, 1
        if self._next() in ("?", "+") and self._next():
            self.at += 1
        return bounds


def _first_outside(inside: str) -> str:
    for char in _CANDIDATES:
        if char not in inside:
            return char
    raise _Unreadable
