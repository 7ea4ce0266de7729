"""Who is the tenant right now: what is a valid id, what was set in this context, which request it belongs to."""

from tracium.tenancy.carrying import carry
from tracium.tenancy.current import assume_tenant, get_current_tenant, set_tenant
from tracium.tenancy.identity import MAX_TENANT_LENGTH, check_tenant, is_tenant
from tracium.tenancy.scope import tenant

__all__ = [
    "MAX_TENANT_LENGTH",
    "assume_tenant",
    "carry",
    "check_tenant",
    "get_current_tenant",
    "is_tenant",
    "set_tenant",
    "tenant",
]
