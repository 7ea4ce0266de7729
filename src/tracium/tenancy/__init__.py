"""Who is the tenant right now, and its user and session: what is a valid id, what was set, which request it belongs to."""

from tracium.tenancy.carrying import carry
from tracium.tenancy.current import (
    assume_tenant,
    get_current_session,
    get_current_tenant,
    get_current_user,
    set_session,
    set_tenant,
    set_user,
)
from tracium.tenancy.identity import MAX_TENANT_LENGTH, check_tenant, is_tenant
from tracium.tenancy.scope import session, tenant, user

__all__ = [
    "MAX_TENANT_LENGTH",
    "assume_tenant",
    "carry",
    "check_tenant",
    "get_current_session",
    "get_current_tenant",
    "get_current_user",
    "is_tenant",
    "session",
    "set_session",
    "set_tenant",
    "set_user",
    "tenant",
    "user",
]
