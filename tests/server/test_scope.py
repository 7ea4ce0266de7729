"""Whose data a question may see, as the engine is told."""

from __future__ import annotations

import pytest

from tracium.server.scope import TenantScope
from tracium.server.wall import TABLES, walled


@pytest.mark.parametrize(
    ("names", "seen", "hidden"),
    [
        (("acme",), ["acme"], ["acm", "acme2", "ACME", None, ""]),
        (("org_123:*",), ["org_123:a", "org_123:a:b"], ["org_123", "org_12:a", "org_1234:a", None]),
        (("org_1", "org_123:*"), ["org_1", "org_123:x"], ["org_12", "org_1:x"]),
        (("*",), ["*"], ["acme", None]),
    ],
)
def test_a_scope_allows_what_it_names(names, seen, hidden):
    """A pattern ends at its colon, and nothing else is one."""
    scope = TenantScope.of(*names)
    assert all(map(scope.allows, seen))
    assert not any(map(scope.allows, hidden))


def test_the_engine_sees_a_scope_alike(store):
    """The condition in SQL allows exactly what `allows` does, whatever stands in the ids."""
    ids = ["a'b", 'a"b', "a\\b", "a\\'b", "ü😀", "a\nb", "a\0b", "a%b", "a_b", "x:y", "x:", "x", "{a:String}", "'); --"]
    for names in (*[(one,) for one in ids], ("x:*",), tuple(ids)):
        scope = TenantScope.of(*names)
        sql = f"SELECT arrayFilter(TenantId -> {scope.condition()}, {{ids:Array(String)}}) AS seen"
        (row,) = store.rows(TenantScope.all(), sql, {"ids": ids})
        assert row["seen"] == [one for one in ids if scope.allows(one)]


@pytest.mark.parametrize("is_spread", [False, True])
def test_every_table_is_walled(is_spread):
    """On a cluster each table's parts are walled like the table itself."""
    sql = walled("SELECT 1", TenantScope.of("acme"), is_spread=is_spread)
    for table in TABLES:
        assert f"'{table}': " in sql
        assert (f"'{table}_local': " in sql) == is_spread
