"""What a deployment is called."""

from __future__ import annotations

import msgspec

from headgate.types.deployment import Credential, Deployment, Offer, Upstream


def test_a_deployment_is_called_by_what_it_was_last_made_from() -> None:
    one = Deployment(
        offer=Offer(provider="p", upstream_id="m", model="m"),
        credential=Credential(name="default", secret=None),
        upstream=Upstream(provider="p", dialect="openai", base_url="http://h/v1", auth_header=None),
    )
    assert one.name == "p/m"
    spare = msgspec.structs.replace(one, credential=Credential(name="spare", secret=None))
    assert spare.name == "p/m#spare"
    upstream = msgspec.structs.replace(one.upstream, provider="q")
    assert msgspec.structs.replace(spare, upstream=upstream).name == "q/m#spare"
