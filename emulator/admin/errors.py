"""What the management API answers when it refuses."""

from typing import Final

from ..entities import errors
from ..entities.errors import EntityError
from .http import HttpResponse
from .xml import tag

XML: Final = "application/xml; charset=utf-8"

_STATUS: Final = {
    errors.NOT_FOUND: 404,
    errors.ALREADY_EXISTS: 409,
    errors.INVALID_FIELD: 400,
    errors.NOT_ALLOWED: 400,
    errors.RESOURCE_LOCKED: 409,
    errors.SERVER_BUSY: 503,
}


class AdminError(Exception):
    """A request that is refused.

    Attributes:
        status: The status, which is the code of the error as well.
        detail: What happened, and what to do.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


def refusal(error: AdminError | EntityError) -> HttpResponse:
    """The response that tells of a refusal."""
    status = error.status if isinstance(error, AdminError) else _STATUS.get(error.condition, 500)
    detail = error.detail if isinstance(error, AdminError) else error.description
    body = f"<Error>{tag('Code', status)}{tag('Detail', detail)}</Error>"
    return HttpResponse(status, body.encode(), XML)
