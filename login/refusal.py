"""Why Microsoft Entra ID gave no token, and what to do about it."""

import re
from typing import Final

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)

from .config import Login

_CODE: Final = re.compile(r"AADSTS(\d+)")
_LONGEST: Final = 200
_AWAY: Final = (ServiceRequestError, ServiceResponseError)

_ADVICE: Final = {
    "7000215": "the client secret is wrong: give its value, not its id",
    "7000222": "the client secret has expired: make a new one",
    "700016": "the tenant does not know this application: check client_id and tenant_id",
    "90002": "there is no such tenant: check tenant_id and authority",
    "700027": "the certificate is not registered with the application, or has expired: upload it there",
    "70021": "the application trusts no such federated identity: check its issuer, subject and audience",
    "700211": "the application trusts no token of this issuer: check its federated credentials",
    "700213": "the application trusts no such federated identity: check its issuer, subject and audience",
    "500011": "the tenant does not know what the token is for: check the URL and tenant_id",
}
"""What to do, by the code (https://learn.microsoft.com/entra/identity-platform/reference-error-codes)."""


def cause_of(error: BaseException) -> AzureError | None:
    """Return what kept a credential from getting its token, where that is what an error tells.

    Args:
        error: Of a client of Azure; it may hold the credential's own within it.
    """
    for each in (error, getattr(error, "inner_exception", None)):
        if isinstance(each, ClientAuthenticationError):
            # azure-identity calls it a failed authentication when nobody could be asked
            return each.__cause__ if isinstance(each.__cause__, _AWAY) else each
        if isinstance(each, _AWAY):
            return each
    return None


def is_refusal(error: AzureError) -> bool:
    """Tell whether a credential was refused, rather than nobody reached to ask."""
    return isinstance(error, ClientAuthenticationError)


def told(error: BaseException, login: Login) -> str:
    """Return why there is no token, and what to do, without a secret.

    >>> from .config import DefaultLogin
    >>> told(ValueError("AADSTS700016: Application with identifier 'x' was not found"), DefaultLogin())
    'AADSTS700016, the tenant does not know this application: check client_id and tenant_id'
    """
    code = _CODE.search(str(error))
    if code is not None and code[1] in _ADVICE:
        return f"{code[0]}, {_ADVICE[code[1]]}"
    line = (str(error).splitlines() or [type(error).__name__])[0]
    # before it is cut, so that no part of a secret stays
    return (line.replace(login.secret, "***") if login.secret else line)[:_LONGEST]
