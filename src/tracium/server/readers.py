"""Users of ClickHouse who may read one tenant: a second wall, which the server keeps whoever asks it."""

from __future__ import annotations

from typing import Final

from tracium.server.keeping.held import HELD
from tracium.server.scope import literal

# What one reader may take in an hour, so that no tenant keeps the others waiting.
_QUOTA: Final = "MAX queries = 2000, read_rows = 2000000000, execution_time = 900"
_PROFILE: Final = (
    "readonly = 1, max_execution_time = 60 READONLY, max_memory_usage = 2147483648 READONLY, "
    "max_rows_to_read = 1000000000 READONLY"
)


def reader_statements(database: str, tenants: tuple[str, ...], cluster: str | None = None) -> list[str]:
    """What makes a role for each tenant that sees its rows alone, and how much its users may ask.

    Whoever is granted a role of a tenant sees that tenant in every table, whatever the SQL says; other users see what
    they saw before.

    Args:
        database: where the tables are.
        tenants: whose roles to make.
        cluster: where they are to be made; None on one server.
    """
    on = f" ON CLUSTER `{cluster}`" if cluster else ""
    made = [
        f"CREATE ROLE IF NOT EXISTS tracium_reader{on}",
        f"CREATE SETTINGS PROFILE IF NOT EXISTS tracium_reader{on} SETTINGS {_PROFILE} TO tracium_reader",
        # By user: with one user for each tenant, each tenant has its own.
        f"CREATE QUOTA IF NOT EXISTS tracium_reader{on} KEYED BY user_name FOR INTERVAL 1 hour {_QUOTA} TO tracium_reader",
    ]
    tables = [name for table in HELD for name in ((table.name, f"{table.name}_local") if cluster else (table.name,))]
    for table in tables:
        where = f"`{database}`.`{table}`"
        made += [
            f"GRANT{on} SELECT ON {where} TO tracium_reader",
            # Whoever is a reader and of no tenant sees nothing.
            f"CREATE ROW POLICY IF NOT EXISTS tracium_nothing{on} ON {where} USING 0 TO tracium_reader",
        ]
    for tenant in tenants:
        role = f"`{_escaped(role_of(tenant))}`"
        made += [f"CREATE ROLE IF NOT EXISTS {role}{on}", f"GRANT{on} tracium_reader TO {role}"]
        made += [
            f"CREATE ROW POLICY IF NOT EXISTS {role}{on} ON `{database}`.`{table}` USING TenantId = {literal(tenant)} TO {role}"
            for table in tables
        ]
    return made


def role_of(tenant: str) -> str:
    """The name of the role that sees `tenant`; grant it to a user of your own."""
    return f"tracium_reader_of_{tenant}"


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")
