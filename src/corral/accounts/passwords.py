"""Passwords as argon2id hashes (RFC 9106), with OWASP's smallest recommended cost: 19 MiB, two passes, one lane."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from corral.core.errors import BadRequest

MIN_LENGTH = 8
#: longer ones are refused, so that nobody makes the hub hash megabytes
MAX_LENGTH = 1024

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
# a flood of sign-ins may not take 19 MiB for each of its requests
_slots = threading.BoundedSemaphore(4)
#: the hash of nobody's password: checked for unknown users, so that they cost the same time as known ones
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$kXTeL65a79Yh5gTvoUzC/w$OTWw0hbSLKUhwRMxFo59askkxk+CeET0V3LBBRGD8LI"


def check_rules(password: str, *, name: str = "") -> None:
    """Raise BadRequest, saying what to change, for a password that is too short, too long or the account's name."""
    if len(password) < MIN_LENGTH:
        raise BadRequest(f"The password is too short: use at least {MIN_LENGTH} characters.", code="WeakPassword")
    if len(password) > MAX_LENGTH:
        raise BadRequest(f"The password is too long: use at most {MAX_LENGTH} characters.", code="WeakPassword")
    if name and password.lower() == name.lower():
        raise BadRequest("The password is the user name: choose another one.", code="WeakPassword")


def hash_password(password: str) -> str:
    with _slots:
        return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`. Costs the same time when `stored` is None (no such user)."""
    with _slots:
        try:
            right = _hasher.verify(stored or _NOBODY, password[: MAX_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False
    return right and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with other costs than today's, so that it should be made again at sign-in."""
    return _hasher.check_needs_rehash(stored)
