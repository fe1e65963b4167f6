"""What a model's name says of its weights, read off the name alone: how big, which version, which date, what for."""

from __future__ import annotations

import re

SERVING = frozenset(
    (
        *("turbo", "fast", "highspeed", "ultrafast", "ultra", "spot", "us", "basic", "lite", "community", "specdec"),
        *("fp4", "fp8", "fp16", "nvfp4", "bf16", "int4", "int8", "awq", "gptq"),
    )
)
"""Words for how weights are served, or what they were rounded to."""

KINDS = {
    word: kind
    for kind, words in {
        "instruct": ("instruct", "it", "chat"),
        "base": ("base", "pt"),
        "sees": ("vision", "vl", "4.5v", "4.6v", "5v"),
        "hears": ("audio", "omni"),
        "thinks": ("thinking", "think", "reasoning", "reasoner"),
        "not": ("non",),
        "distilled": ("distill",),
        "code": ("code", "coder"),
        "embeds": ("embed", "embedding"),
        "ranks": ("rerank", "reranker"),
        "guards": ("guard", "safeguard", "safety"),
        "early": ("preview", "exp", "experimental"),
        "floats": ("latest",),
    }.items()
    for word in words
}
"""Words for what weights were trained to do."""

PLAIN = frozenset(
    (
        *("ocr", "prover", "terminus", "speciale", "mini", "nano", "flash", "pro", "max", "plus", "air"),
        *("large", "medium", "small", "next", "agent", "dpo", "hf"),
    )
)
"""Words that tell one model of a family from another."""

_PATH = re.compile(r"^accounts/fireworks/(?:models|routers)/|^.*/(?!community$)")
_HOST = re.compile(r"^(?:(?:us|eu|in|global)\.)?[a-z0-9]+\.(?=[a-z])(?=[^.]*[-.])|@default$|^fw-|^c4ai-")
_REVISION = re.compile(r"^((?:(?:us|eu|in|global)\.)?[a-z0-9]+\.[a-z].*)(?:-v\d+(?::\d+)?|-\d:\d)$")
_SIZE = re.compile(r"(?:\d+x)?[ae]?\d+(?:\.\d+)?[bmet]|\d+k")
_DATE = re.compile(r"(?:20\d\d-)?\d\d-(?:20)?\d\d(?=-|$)|(?<!\d)(?:20)?\d{6}(?!\d)|(?<!\d)\d{4}(?!\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_WINDOW = re.compile(r"-(?:4096|8192|32768)$")

Traits = frozenset[tuple[str, str]]


def traits(name: str, *, revised: bool = False) -> Traits:
    """What a name says. `revised`: it ends in the revision of a cloud's listing, such as `-v1:0`, not in a version."""
    text = name.lower()
    if revised:
        text = _REVISION.sub(r"\1", text)
    text = re.sub(r"(?<=v0):(?=\d)", ".", text).removesuffix(":0")
    text = _WINDOW.sub("", _HOST.sub("", _PATH.sub("", text))).replace("@", "-").replace(":", "-")
    text = re.sub(r"(?<=\d)[p_](?=\d)", ".", text)
    found = {("date", date) for date in _DATE.findall(text)}
    text = _DATE.sub("", text)
    text = re.sub(r"(?<![\d.])(\d)-(\d{1,2})(?=-|$)", r"\1.\2", text)
    for word in filter(None, re.split(r"[-_/]+", text)):
        if word in SERVING:
            found.add(("serving", word))
        elif word in KINDS:
            found.add(("kind", KINDS[word]))
        elif word in PLAIN:
            found.add(("kind", word))
        elif _SIZE.fullmatch(word):
            found.add(("size", word))
        if word not in SERVING and not _SIZE.fullmatch(word):
            found |= {("version", number.removesuffix(".0")) for number in _NUMBER.findall(word)}
    return frozenset(found)


def differing(name: str, slug: str, snapshot: str | None = None) -> Traits:
    """Where a name and a slug do not say the same; `snapshot` is the date behind a slug that does not name it."""
    known = {("date", snapshot)}
    return min((traits(name, revised=revised) ^ traits(slug) for revised in (False, True)), key=len) - known
