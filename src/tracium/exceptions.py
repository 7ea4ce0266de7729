"""The errors that tracium raises: for a wrong argument or a wrong set-up, never while recording."""

from __future__ import annotations


class TraciumError(Exception):
    """Base of every error that tracium raises."""


class IdentityTypeError(TraciumError, TypeError):
    """The id of a tenant, user or session that is not a string."""


class IdentityValueError(TraciumError, ValueError):
    """A string that cannot be the id of a tenant, user or session: empty, too long, or with forbidden characters."""


class TenantTypeError(IdentityTypeError):
    """A tenant id that is not a string."""


class TenantValueError(IdentityValueError):
    """A string that cannot be a tenant id: empty, too long, or with characters that no id may have."""


class SettingError(TraciumError, ValueError):
    """A setting with a value that is not allowed; the message names the setting, the value and what is."""


class MissingExtraError(TraciumError, ImportError):
    """A part of tracium needs a package that is not installed; the message is the command that installs it."""


class StoreError(TraciumError):
    """The store cannot be opened, read or written; the message says which one, why and what to do."""


class RemovedError(TraciumError, AttributeError):
    """A name of tracium's older SDK that is gone; the message names what is there instead."""


class AgentError(TraciumError, RuntimeError):
    """An agent's run or step where it cannot be: outside of a run that is required, or entered for the second time."""
