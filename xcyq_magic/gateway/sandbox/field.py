"""Failures as gateways of the field send them, word by word, for `sandbox: fail NAME`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


@dataclass(frozen=True)
class Failure:
    """What is sent in the place of an answer; with the status 200, after the beginning of one.

    Attributes
    ----------
    status
        Of HTTP.
    body
        A record, or a text as it is.
    field
        The field of a request that it refuses; ``""`` for one that refuses any.
    """

    status: int
    body: dict[str, Any] | str
    field: str = ""


def _error(message: str, **more: object) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


FAILURES = {
    "quota": Failure(
        429,
        _error(
            "You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
            param=None,
            code="insufficient_quota",
        ),
    ),
    "limit": Failure(
        429,
        _error(
            "Resource has been exhausted (e.g. check quota).",
            code=429,
            status="RESOURCE_EXHAUSTED",
            details=[{"@type": _RETRY_INFO, "retryDelay": "1s"}],
        ),
    ),
    "balance": Failure(402, {"code": 402, "msg": "Insufficient account balance", "success": False}),
    "moderation": Failure(
        403, _error("Your input was flagged.", code=403, metadata={"reasons": ["violence"], "flagged_input": "…"})
    ),
    "channel": Failure(
        503, _error("No available channel for this model under group default (distributor)", type="new_api_error")
    ),
    "context": Failure(
        400,
        _error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
    ),
    "overloaded": Failure(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "detail": Failure(
        422,
        {"detail": [{"loc": ["body", "messages", 0], "msg": "Input should be a valid string", "type": "string_type"}]},
    ),
    "temperature": Failure(
        400,
        _error(
            "litellm.UnsupportedParamsError: gpt-5 models don't support temperature=0.5. Only temperature=1 is "
            "supported. To drop unsupported params set `litellm.drop_params = True`",
            type="None",
            param="None",
            code="400",
        ),
        "temperature",
    ),
    "bad-gateway": Failure(502, _PAGE),
    "envelope": Failure(200, {"code": "500", "msg": "upstream error", "success": False}),
    "choice": Failure(
        200,
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": ""},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "Provider disconnected"},
                }
            ]
        },
    ),
    "empty": Failure(200, ""),
}
