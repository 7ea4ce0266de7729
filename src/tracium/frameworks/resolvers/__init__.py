"""Who the tenant of a request is: by header, subdomain, path or the claim of a verified token."""

from tracium.frameworks.resolvers.claim import Known
from tracium.frameworks.resolvers.first import first_of
from tracium.frameworks.resolvers.header import from_header
from tracium.frameworks.resolvers.path import from_path
from tracium.frameworks.resolvers.resolver import AnyResolver, Resolver, as_resolver, names_nobody
from tracium.frameworks.resolvers.subdomain import from_subdomain
from tracium.frameworks.resolvers.token import from_jwt_claim

__all__ = [
    "AnyResolver",
    "Known",
    "Resolver",
    "as_resolver",
    "first_of",
    "from_header",
    "from_jwt_claim",
    "from_path",
    "from_subdomain",
    "names_nobody",
]
