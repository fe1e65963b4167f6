"""The classes of upstream failure, and what each means to the client when nothing else is left."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FaultClass(StrEnum):
    """Why an attempt failed (architecture §4)."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    CONNECT_FAILED = "connect_failed"
    RESET = "reset"
    NO_FIRST_TOKEN = "no_first_token"
    STALLED = "stalled"
    TOTAL_TIMEOUT = "total_timeout"
    QUOTA_EXHAUSTED = "quota_exhausted"
    BAD_CREDENTIAL = "bad_credential"
    MODEL_NOT_FOUND = "model_not_found"
    UNSUPPORTED = "unsupported"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_FILTERED = "content_filtered"
    BAD_REQUEST = "bad_request"
    BROKEN_STREAM = "broken_stream"
    SOFT_ERROR = "soft_error"


class Scope(StrEnum):
    """What the health record of a fault belongs to: nothing wider is to be left alone because of it."""

    DEPLOYMENT = "deployment"
    CREDENTIAL = "credential"
    OFFER = "offer"


_SCOPES = {
    FaultClass.QUOTA_EXHAUSTED: Scope.CREDENTIAL,
    FaultClass.BAD_CREDENTIAL: Scope.CREDENTIAL,
    FaultClass.MODEL_NOT_FOUND: Scope.OFFER,
}


class Fault(Exception):
    """One classified upstream failure.

    `message` is fit for a client: no credential, no header of the provider. `status` is the provider's HTTP status
    when it sent one. `retry_after_s` is what the provider asked for. `scope` follows from the class.
    """

    def __init__(
        self,
        kind: FaultClass,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.param = param
        self.code = code

    @property
    def scope(self) -> Scope:
        """What its health record belongs to; a deployment unless the class says otherwise."""
        return _SCOPES.get(self.kind, Scope.DEPLOYMENT)

    def retold(self, message: str | None = None, retry_after_s: float | None = None) -> Fault:
        """The same failure in other words, or with another wait."""
        return Fault(
            self.kind,
            self.message if message is None else message,
            status=self.status,
            retry_after_s=self.retry_after_s if retry_after_s is None else retry_after_s,
            param=self.param,
            code=self.code,
        )


class ClientFace(msgspec.Struct, frozen=True):
    """Status, error type and error code a client sees for a fault class."""

    status: int
    type: str
    code: str


CLIENT_FACE: dict[FaultClass, ClientFace] = {
    FaultClass.RATE_LIMITED: ClientFace(429, "rate_limit_error", "rate_limit_exceeded"),
    FaultClass.OVERLOADED: ClientFace(503, "server_error", "overloaded"),
    FaultClass.SERVER_ERROR: ClientFace(502, "server_error", "upstream_error"),
    FaultClass.CONNECT_FAILED: ClientFace(502, "server_error", "upstream_unreachable"),
    FaultClass.RESET: ClientFace(502, "server_error", "upstream_reset"),
    FaultClass.NO_FIRST_TOKEN: ClientFace(504, "server_error", "upstream_timeout"),
    FaultClass.STALLED: ClientFace(504, "server_error", "upstream_stalled"),
    FaultClass.TOTAL_TIMEOUT: ClientFace(504, "server_error", "deadline_exceeded"),
    FaultClass.QUOTA_EXHAUSTED: ClientFace(429, "insufficient_quota", "insufficient_quota"),
    FaultClass.BAD_CREDENTIAL: ClientFace(502, "server_error", "upstream_credential_refused"),
    FaultClass.MODEL_NOT_FOUND: ClientFace(404, "invalid_request_error", "model_not_found"),
    FaultClass.UNSUPPORTED: ClientFace(400, "invalid_request_error", "unsupported_parameter"),
    FaultClass.CONTEXT_TOO_LONG: ClientFace(400, "invalid_request_error", "context_length_exceeded"),
    FaultClass.CONTENT_FILTERED: ClientFace(400, "invalid_request_error", "content_filter"),
    FaultClass.BAD_REQUEST: ClientFace(400, "invalid_request_error", "bad_request"),
    FaultClass.BROKEN_STREAM: ClientFace(502, "server_error", "broken_stream"),
    FaultClass.SOFT_ERROR: ClientFace(502, "server_error", "upstream_error"),
}
