"""How PagerDuty refuses a request (REST docs, Errors)."""

from __future__ import annotations

from typing import Any

from mttr_pipeline.demo.kit.wire import encode


class PagerDutyError(Exception):
    """A refusal with PagerDuty's own error code."""

    def __init__(self, status: int, code: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, list(errors)

    def body(self) -> bytes:
        """`{"error": {...}}`."""
        error: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors:
            error["errors"] = self.errors
        return encode({"error": error})


def invalid(*errors: str) -> PagerDutyError:
    """The refusal of parameters that cannot be read."""
    return PagerDutyError(400, 2001, "Invalid Input Provided", *errors)


def not_found() -> PagerDutyError:
    """The refusal of something that does not exist."""
    return PagerDutyError(404, 2100, "Not Found")
