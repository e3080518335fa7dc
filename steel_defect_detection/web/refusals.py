"""Refusals: requests that get no answer, and why."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

from steel_defect_detection.web.answers import Problem, Refused


class RefusedError(Exception):
    """A request that gets a status and a reason in place of an answer.

    Args:
        status: HTTP status.
        code: One word for programs.
        message: One line for people.
        headers: HTTP headers that belong to it.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """What is sent."""
        content = Refused(error=Problem(code=self.code, message=self.message))
        return JSONResponse(content.model_dump(), status_code=self.status, headers=self.headers)


def overloaded(message: str, seconds: int) -> RefusedError:
    """Say that there is no room now, and when to ask again.

    Args:
        message: What there is no room for.
        seconds: When to ask again, in seconds from now.
    """
    text = f"{message}. Try again in {seconds} seconds"
    return RefusedError(503, "overloaded", text, {"Retry-After": str(seconds)})
