"""What a model name may end in to ask for an order of candidates."""

from __future__ import annotations

from headgate.types.policy import Order

SUFFIXES = {
    "cheapest": Order.CHEAPEST,
    "floor": Order.CHEAPEST,
    "fastest": Order.FASTEST,
    "nitro": Order.FASTEST,
    "balanced": Order.BALANCED,
}
"""Behind the last colon of a name. An id must not end in one, or nobody could tell the two apart."""
