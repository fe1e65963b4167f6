"""Quirks: small named edits of a request body for providers whose idea of the OpenAI dialect differs.

Every edit is pure, idempotent and local: a top-level field it does not name keeps its bytes, and so does a message
it has no business with. Before anything is decoded the raw bytes are searched for what the edit is about, so a
request it does not concern costs one search. A JSON string spelt with escapes ("\\u0064eveloper") is not found; no
client writes that, and the provider then refuses the request as it would have without the edit.

A parameter that changes the answer is not removed where the provider would refuse it (`n` above 1, a JSON schema):
the refusal is the honest reply and lets another provider be tried. Removed are hints that leave the answer alone, and
parameters the provider takes and ignores or no model of it serves; their names are reported.
"""

from headgate.providers.quirks import messages, parameters, tools
from headgate.providers.quirks.edits import QUIRKS, TOUCHES

__all__ = ["QUIRKS", "TOUCHES", "messages", "parameters", "tools"]
