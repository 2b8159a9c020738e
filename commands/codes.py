"""Result codes of the service, as the journal keeps them (Outcome.code).

Source: fetion.md section 4, attested for the service's web client (G8 G9).
"""

from enum import IntEnum


class Code(IntEnum):
    """How an instruction ended, in the service's own numbers."""

    OK = 200
    BAD_PARAMETER = 400
    NO_PERMISSION = 401
    DIRECT_SMS_OFF = 403
    UNKNOWN_NUMBER = 404
    NOT_ACCEPTED = 405
    SENSITIVE = 406
    NOT_OPENED = 422
    TRY_LATER = 486  # a quota is used up, or buddies are asked too often
    SUSPENDED = 488
    PROTECTED = 494
    LIST_FULL = 520
    ALREADY_BUDDY = 521
    ONESELF = 523
