"""Errors a client may see.

    GatewayError            anything we answer with, opaque unless built here
      InvalidRequest        400  the client's request is wrong; names the parameter
      Unauthenticated       401  no key, or one we do not know
      NotAllowed            403  the key may not do this
      ModelNotFound         404  no such model; suggests near ones
      NotFound              404  no such path
      MethodNotAllowed      405
      LimitReached          429  a limit of the key, its creator or its workspace (ledger.limits)
      BudgetExceeded        429  a budget cannot pay for it (ledger.budget)
      RequestTimeout        408  the body did not arrive in time
      BodyTooLarge          413
      ShuttingDown          503  the process ends and this request could not finish
      LedgerFull            503  no record of it could be kept, and the operator wants every request recorded
      UpstreamFailed        any  a provider's fault, in the client's words

An exception that is not a GatewayError is a defect: the client gets a bare 500 with the request id, and the log
gets the traceback.
"""

from __future__ import annotations

from headgate.types.fault import CLIENT_FACE, Fault
from headgate.types.request import Account


class GatewayError(Exception):
    """An answer that is an error. `message` goes to the client as it stands."""

    status = 500
    type = "server_error"
    code: str | None = None
    close_connection = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = headers
        if code is not None:
            self.code = code


class InvalidRequest(GatewayError):
    """The request cannot be understood or makes no sense; `param` names the field."""

    status = 400
    type = "invalid_request_error"


class Unauthenticated(GatewayError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class NotAllowed(GatewayError):
    status = 403
    type = "invalid_request_error"
    code = "model_not_allowed"


class ModelNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class RequestTimeout(GatewayError):
    status = 408
    type = "invalid_request_error"
    code = "request_timeout"
    close_connection = True


class BodyTooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"
    close_connection = True


class ShuttingDown(GatewayError):
    status = 503
    code = "shutting_down"
    close_connection = True


class LedgerFull(GatewayError):
    status = 503
    code = "ledger_full"


class UpstreamFailed(GatewayError):
    """What a client sees of a fault once nothing else is left to try; `advice` is a sentence that follows it."""

    def __init__(self, fault: Fault, account: Account, advice: str = "") -> None:
        face = CLIENT_FACE[fault.kind]
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if fault.retry_after_s is not None and face.status in (429, 503):
            headers = ((b"retry-after", b"%d" % max(1, round(fault.retry_after_s))),)
        message = f"{fault.message.removesuffix('.')}. {advice}" if advice else fault.message
        super().__init__(message, param=fault.param, code=fault.code or face.code, headers=headers)
        self.status = face.status
        self.type = face.type
        self.fault = fault
        self.account = account
