"""What the audit holds: the actions that are written down. texts/audit.yaml has words (did_NAME)."""

from enum import StrEnum


class Did(StrEnum):
    """An action in the audit, as the store has it. Those of agents are named as in commands.actions."""

    LOGIN = "login"
    PASSWORD = "password"
    ADDED = "account added"
    CHANGED = "account changed"
    DISABLED = "account disabled"
    ENABLED = "account enabled"
    REMOVED = "account removed"
    TOKEN = "token"
    SEARCHED = "searched"
    OPENED = "opened"
    EXPORTED = "exported"
    RELOADED = "tables.reload"
    PHONE = "phone.send"
    UNLOCK = "unlock"
    RESET_PASSWORD = "reset_password"
    RESEND_NOTICE = "resend_notice"
    OPEN = "open"
    CANCEL = "cancel"
    SUSPEND = "suspend"
    RESUME = "resume"
