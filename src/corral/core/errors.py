"""Every refusal the hub speaks, with its HTTP status and the code clients switch on.

The codes are those that `huggingface_hub` maps to exception types in `utils/_http.py` (2.4.0): `RepoNotFound`,
`RevisionNotFound`, `EntryNotFound`, `GatedRepo`; the others are Corral's own. A message says what to do next.
"""

from __future__ import annotations


class HubError(Exception):
    """A refusal with a status, a machine-readable code and a sentence for the person who reads it."""

    status: int = 400
    code: str = "BadRequest"

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None, **extra: object) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code
        #: further JSON members of the answer, for example `url` in a 409
        self.extra = extra
        #: further headers of the answer, for example `X-Repo-Commit` on a missing file
        self.headers: dict[str, str] = {}


class BadRequest(HubError):
    """The request is malformed; the message names the member at fault."""


class Unauthorized(HubError):
    """No credentials, or credentials that are not valid."""

    status = 401
    code = "Unauthorized"


class Forbidden(HubError):
    """The actor is known and may see the thing, but may not do this to it."""

    status = 403
    code = "Forbidden"


class NotFound(HubError):
    status = 404
    code = "NotFound"


class RepoNotFound(NotFound):
    """Absent, or hidden from this actor: the two are never told apart."""

    code = "RepoNotFound"

    def __init__(self, message: str = "Repository not found") -> None:
        super().__init__(message)


class RevisionNotFound(NotFound):
    code = "RevisionNotFound"


class EntryNotFound(NotFound):
    code = "EntryNotFound"


class GatedRepo(HubError):
    status = 403
    code = "GatedRepo"


class Conflict(HubError):
    status = 409
    code = "Conflict"


class StaleParent(HubError):
    """A compare-and-swap on a ref was lost (text as huggingface_hub's tests expect it)."""

    status = 412
    code = "PreconditionFailed"

    def __init__(self) -> None:
        super().__init__("The branch was updated since you opened this page. Please refresh and try again.")


class TooLarge(HubError):
    status = 413
    code = "TooLarge"


class Unprocessable(HubError):
    """Well-formed but not acceptable: a bad path, a hash that does not match."""

    status = 422
    code = "Unprocessable"


class NotSupported(HubError):
    """What Corral does not do yet, said plainly."""

    status = 501
    code = "NotSupported"


class Busy(HubError):
    """Try again after `retry_after` seconds."""

    status = 503
    code = "Busy"

    def __init__(self, message: str, retry_after: float, **extra: object) -> None:
        super().__init__(message)
        self.extra |= extra
        self.headers["Retry-After"] = str(max(1, round(retry_after)))


class TooManyRequests(Busy):
    """This caller asks too often; others are served."""

    status = 429
    code = "TooManyRequests"
