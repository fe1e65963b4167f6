"""What sentences of error bodies mean, whoever says them.

A sentence is looked at only where its status leaves the matter open. Clients can have their own words quoted in it, so
what would put away something that others need is believed of nothing quoted. Beside a status that may be about the
request it is believed only of a message that begins with the very words of a provider and speaks of no field, and
nothing else in the body may contradict it. Sentences: each provider's error reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from headgate.types.fault import FaultClass

MAX_SEARCHED = 2000
"""An explanation begins with what is wrong; nothing is looked for beyond this."""


class Sentence(msgspec.Struct, frozen=True):
    """A class of fault, the sentences that mean it, and the statuses beside which they do.

    `bare` looks at the text without what it quotes. `opening` looks at its beginning only, and not where the text
    speaks of the client's fields.
    """

    kind: FaultClass
    pattern: re.Pattern[str]
    beside: Callable[[int], bool]
    bare: bool = False
    opening: bool = False

    def is_in(self, text: str, bare: str) -> bool:
        """Whether a text says it; `bare` is the text without what it quotes."""
        if self.opening:
            return self.pattern.match(bare) is not None and _OF_A_FIELD.search(bare) is None
        return self.pattern.search(bare if self.bare else text) is not None


def _sentence(kind: FaultClass, beside: Callable[[int], bool], *patterns: str, bare: bool = False) -> Sentence:
    return Sentence(kind, re.compile("|".join(patterns), re.IGNORECASE), beside, bare)


def _opening(kind: FaultClass, beside: Callable[[int], bool], *patterns: str) -> Sentence:
    pattern = re.compile(rf"\W*(?:error: )?(?:{'|'.join(patterns)})", re.IGNORECASE)
    return Sentence(kind, pattern, beside, bare=True, opening=True)


def _any(status: int) -> bool:
    return True


def _refused(status: int) -> bool:
    return status < 500 and status != 429


def _wrong(status: int) -> bool:
    return status in (200, 400, 404, 405, 415, 422, 501)


def _of_the_account(status: int) -> bool:
    return status in (401, 402, 403, 429)


def _strained(status: int) -> bool:
    return status in (200, 429, 500, 502, 503, 504)


_IS_GONE = r"(does not exist|(is |was )?not found|has been de(precated|commissioned))"
# What is said of a field of the request, and of no account, credential or model.
_OF_A_FIELD = re.compile(
    r"\bis not (an? |one |of |allowed|permitted)(?!valid model)|\b(must|should) (be|have|match|contain|not)\b"
    r"|\b(expected|given=|permitted|supported values|allowed values|valid values|enum(eration)?)\b"
    r"|\b(field|property|properties|schema|parameter|argument|role|type|format|tools?|messages?|content)s?\b",
    re.IGNORECASE,
)
_SENTENCES = (
    # First of all, so that a client's own field cannot be named like one of the sentences below.
    _sentence(
        FaultClass.UNSUPPORTED,
        _wrong,
        r"extra inputs are not permitted",
        r"unknown name \"",
        r"unrecognized request argument",
        r"unsupported (parameter|value)",
        r"property '[^']{1,200}' is unsupported",
    ),
    _opening(
        FaultClass.QUOTA_EXHAUSTED,
        _any,
        r"your credit balance is too low(\W*$| to )",
        r"you have reached your specified (workspace )?api usage limits",
        r"(this api free tier is not available in your country\. )?please enable billing on (your|the) project",
        r"the billing account for the owning project is ",
        r"access denied, please make sure your account is in good standing",
        r"account \S{1,100} is suspended, possibly due to reaching the monthly spending limit",
        r"insufficient (account )?(balance|credits?|funds)\W*$",
        r"you exceeded your current quota, please check your plan",
        r"you have run out of credits",
        r"(sorry, )?your account balance is insufficient",
    ),
    _sentence(
        FaultClass.QUOTA_EXHAUSTED,
        _of_the_account,
        r"credit balance is too low",
        r"insufficient (account )?(balance|credits?|funds)",
        # Some call the share of a minute a quota, too.
        r"exceeded your current quota(?! of)",
        r"enable billing",
        r"billing account",
        r"used all (available |your )?credits",
        r"run out of credits",
        r"(exceeded|spent|used up) your (monthly|daily) (included |free )?(credits|allocation)",
        r"n[o']t have any credits",
        r"requires more credits",
        r"monthly spending limit",
        r"balance is insufficient",
        r"credits? ((is|are|has been|have been) )?exhausted",
        r"\bkey limit exceeded",
        r"reached your specified (workspace )?api usage limits",
        r"overdue (account|balance)",
        r"account is in good standing",
        bare=True,
    ),
    _opening(
        FaultClass.BAD_CREDENTIAL,
        lambda status: status in (200, 400, 404, 412, 422),
        r"incorrect api[ -]?key provided",
        r"invalid api[ -]?(key|token)( provided)?(\W*$|\. )",
        r"(your )?api[ -]?(key|token) (is )?(not valid|invalid|expired|not found)(\W*$|\. )",
        r"user location is not supported for the api use",
        r"this organization has been disabled",
        r"this credential is only authorized for ",
    ),
    _sentence(FaultClass.BAD_CREDENTIAL, lambda status: status == 498, r"invalid api[ -]?(key|token)", bare=True),
    _sentence(
        FaultClass.CONTENT_FILTERED,
        _refused,
        r"content filtering policy",
        r"content management policy",
        r"content exists risk",
        r"violates (our )?usage (guidelines|policy|policies)",
        r"considered high risk",
    ),
    # Ahead of what a prompt with too many of them is called.
    _sentence(FaultClass.RATE_LIMITED, _any, r"too many tokens[^.]{0,20}, please wait", bare=True),
    _sentence(
        FaultClass.CONTEXT_TOO_LONG,
        _refused,
        r"maximum context length",
        r"reduce the length of",
        r"prompt is too long",
        r"input is too long",
        r"input token length too long",
        r"too many (input )?tokens",
        r"exceeds the maximum number of tokens",
        r"current length is \d+ while limit is",
        r"available context size",
        r"context size has been exceeded",
        r"maximum prompt length",
        r"exceeded model token limit",
        r"(greater|longer) than the (model's )?context (length|window|size)",
        r"exceed(s|ed)? [^.]{0,60}context (length|window|size|limit)",
        r"max_new_tokens\W{1,3}must (be <=|not exceed)",
        r"max size: \d+ tokens",
        r"longer than the maximum model length",
        r"must have less than \d+ tokens",
        r"keep the first \d+ tokens when context",
        r"context window exceeds limit",
        r"range of input length should be",
        r"input length \(\d+ tokens\) exceeds",
    ),
    _sentence(
        FaultClass.UNSUPPORTED,
        _wrong,
        r"not supported (with|by|for|in) (this|the) (model|v1)",
        r"(does not|doesn't) (currently )?support",
        r"endpoints found that (support|can handle)",
        # The settings of the account leave nobody who may serve the model; others may have it.
        r"endpoints found matching your data policy",
        r"no allowed providers are available",
        r"is not a multimodal model",
        r"does not work with the specified model",
        r"only supported by certain models",
        r"is not enabled for models/",
        r"at most 0 \w+\(s\) may be provided",
        # A part of a message, of a kind that others know.
        r"unknown variant [`'\"](image_url|input_audio|video_url|file)\b",
    ),
    _opening(
        FaultClass.MODEL_NOT_FOUND,
        lambda status: status in (200, 400, 422),
        r"model not exist",
        r"(the provided )?model identifier is invalid",
        r"(no such|unknown) model:?( [\w./:@-]{1,120})?\W*$",
        r"model not found(\W*$|[,:.] )",
        r"[\w./:@-]{1,120} is not a valid model( (id|name))?\W*$",
        r"invalid model( (name|id))?\s*([:.,]|passed in|$)",
        rf"((the|publisher) )?model:?( [\w./:@-]{{1,120}})? +{_IS_GONE}",
        r"you do(n[o']t| not) have access to (the )?model",
        r"invocation of model id [\w./:@-]{1,200} with on-demand throughput isn.t supported",
    ),
    _sentence(
        FaultClass.MODEL_NOT_FOUND,
        lambda status: status in (403, 404, 410),
        r"(no such|unknown) model",
        r"model not found",
        rf"model:?( [\w./:@-]{{1,120}})? +{_IS_GONE}",
        r"n[o']t have access to (the )?model",
        bare=True,
    ),
    _sentence(
        FaultClass.OVERLOADED,
        _strained,
        r"overloaded",
        r"(over|at|out of) capacity",
        r"model (is )?busy",
        r"(currently|still) loading",
        r"^loading model",
    ),
    _sentence(
        FaultClass.RATE_LIMITED,
        lambda status: status in (200, 403, 500, 502, 503),
        r"rate[ -]?limit",
        r"too many requests",
        bare=True,
    ),
)

# How a quotation of each kind begins and ends; an apostrophe does neither.
_QUOTES = tuple(
    (re.compile(opening), re.compile(closing))
    for opening, closing in (('"', '"'), ("`", "`"), (r"(?<!\w)'", r"'(?!\w)"), ("[“„«]", "[”“»]"), ("[‘‚]", "[’‘]"))
)
_SHARE = re.compile(
    r"tokens per \w+[^.]{0,20}?\blimit:? (\d[\d,]{0,15}), (?:used:? \d[\d,]{0,15}, )?requested:? (\d[\d,]{0,15})",
    re.IGNORECASE,
)
# Who may not, or where not: a credential, its owner, or what these may use.
_REFUSED = re.compile(
    r"auth|credential|permission|permitted|signature|token|account|organi[sz]ation|project|subscri|billing|licen[sc]e"
    r"|country|region|territory|location|access_?denied|no_access|\b(keys?|users?|teams?|plan|ip)\b",
    re.IGNORECASE,
)
_NAMED = (
    re.compile(r"unknown name \"([\w.-]{1,100})\"", re.IGNORECASE),
    re.compile(r"property '([\w.-]{1,100})' is unsupported", re.IGNORECASE),
    re.compile(r"unrecognized request arguments? supplied: ([\w.-]{1,100})", re.IGNORECASE),
    re.compile(r"(?:^|; )([\w.-]{1,100}): extra inputs are not permitted", re.IGNORECASE),
    re.compile(r"unsupported (?:parameter|value): '([\w.-]{1,100})'", re.IGNORECASE),
)


def class_of_text(text: str, status: int, never: frozenset[FaultClass] = frozenset()) -> FaultClass | None:
    """The class that the sentences of a message mean beside this status; None when they leave it open.

    `never` are the classes that something else in the body contradicts.
    """
    bare = without_quotes(text)
    text = text[:MAX_SEARCHED]
    if not text:
        return None
    for sentence in _SENTENCES:
        if sentence.kind not in never and sentence.beside(status) and sentence.is_in(text, bare):
            return sentence.kind
    return None


def without_quotes(text: str) -> str:
    """The first `MAX_SEARCHED` characters of a text, without what lies between the first and the last quote of a kind.

    What is quoted may hold quotes itself, so that nothing in between is known to be the provider's own. Where a
    quotation does not end, nothing behind its beginning is.
    """
    cut = len(text) > MAX_SEARCHED
    text = text[:MAX_SEARCHED]
    spans = []
    for opening, closing in _QUOTES:
        begins = [match.start() for match in opening.finditer(text)]
        if begins:
            ends = [match.end() for match in closing.finditer(text, begins[0] + 1)]
            goes_on = cut or not ends or begins[-1] >= ends[-1] or (opening == closing and len(ends) % 2 == 0)
            spans.append((begins[0], len(text) if goes_on else ends[-1]))
    kept = ""
    at = 0
    for start, end in sorted(spans):
        kept += text[at:start]
        at = max(at, end)
    return kept + text[at:]


def named_parameter(text: str) -> str | None:
    """The parameter that a sentence about an unsupported one names."""
    text = text[:MAX_SEARCHED]
    return next((match[1] for pattern in _NAMED if (match := pattern.search(text))), None)


def can_never_fit(text: str) -> bool:
    """Whether a message about a share of tokens says that the request alone is larger than all of it."""
    share = _SHARE.search(text[:MAX_SEARCHED])
    return share is not None and _number(share[2]) > _number(share[1])


def names_who_is_refused(text: str) -> bool:
    """Whether a refusal speaks of a credential, an account or a place, rather than of nothing."""
    return _REFUSED.search(text[:MAX_SEARCHED]) is not None


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))
