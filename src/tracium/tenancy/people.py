"""The user and the session: where they hold.

They follow the rules of the tenant, with one more: they are a tenant's. Where another tenant holds they do not, whatever
the context or the request says about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.tenancy.identity import SESSION, TENANT, USER
from tracium.tenancy.said import NOBODYS, Said
from tracium.tenancy.standing import (
    State,
    binding_in,
    current_tenant,
    inherited_tenant,
    is_left_behind,
    said_afterwards,
    said_in,
    standing_in,
    write,
    write_people,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context

    from tracium.tenancy.block import Block
    from tracium.tenancy.identity import Identity
    from tracium.tenancy.request import Binding
    from tracium.tenancy.said import Marks
    from tracium.tenancy.standing import Standing

_PEOPLE: Final = (USER.attribute, SESSION.attribute)
_NOTHING: Final = Said(State.NOT_SET, None, None, afterwards=False)


def say(  # noqa: PLR0913, PLR0917 - what is said, and where
    context: Context,
    identity: Identity,
    state: State,
    value: str | None,
    scope: Block | None,
    afterwards: bool | None = None,  # noqa: FBT001 - None is as good as not given
) -> Context:
    """A copy of `context` that says this about one of the three, and about the others what it said.

    Args:
        context: What holds until now.
        identity: Which of the three.
        state: What is said.
        value: The id that is set, or None.
        scope: The innermost block that is open in the copy.
        afterwards: Whether it is said at the beginning of a block around which the request is over; as it was, unless given.
    """
    binding = binding_in(context)
    people = people_in(context, binding)
    if people is not None:
        before = current_tenant(context)
        after = value if identity is TENANT else before
        people = {attribute: said.moved(before, after, binding) for attribute, said in people.items()}
    if identity is TENANT:
        if afterwards is None:
            afterwards = said_afterwards(context, binding)
        return write(context, state, value, binding, scope, afterwards=afterwards, people=people)
    people = people or {}
    if afterwards is None:
        afterwards = people.get(identity.attribute, _NOTHING).afterwards
    said = Said(state, value, home_in(context, binding), afterwards=afterwards)
    return write_people(context, binding, scope, {**people, identity.attribute: said})


def current(context: Context, identity: Identity) -> str | None:
    """Whom the code that runs in `context` works for."""
    tenant = current_tenant(context)
    if identity is TENANT:
        return tenant
    said = _said_in(context, binding_in(context), identity.attribute)
    if said.state is State.CLEARED:
        return None
    return _holding(said, identity.attribute, binding_in(context), tenant)


def recorded_people(context: Context, binding: Binding | None, tenant: str | None) -> Marks:
    """User and session of telemetry that begins in `context` and belongs to `binding`, as attributes.

    Args:
        context: Where it begins.
        binding: The request that it belongs to.
        tenant: The tenant that it has, or None; a default is none.
    """
    standing = standing_in(context)
    if (standing is None or standing.people is None) and (binding is None or binding.people is None):
        return ()
    found = ((key, _holding(_said_in(context, binding, key), key, binding, tenant)) for key in _PEOPLE)
    return tuple((attribute, value) for attribute, value in found if value is not None)


def plain_people(standing: Standing) -> Marks:
    """The same where `standing` plainly says the tenant; at most one look when it is asked again."""
    binding = standing.binding
    bound = None if binding is None else binding.people
    if bound is None or binding is None or binding.mixed or binding.tenant != standing.tenant:
        return standing.marks
    merged = standing.merged
    if merged is None or merged[0] is not bound:
        merged = standing.merged = (bound, _merge(standing, bound))
    return merged[1]


def inherited_people(context: Context) -> Marks:
    """User and session with which a request arrives that begins in `context`: nothing of a request that is over."""
    standing, outer = standing_in(context), binding_in(context)
    if (standing is None or standing.people is None) and (outer is None or outer.people is None):
        return ()
    tenant = inherited_tenant(context)
    marks: list[tuple[str, str]] = []
    for attribute in _PEOPLE:
        said = _said_in(context, outer, attribute)
        if said.state is State.CLEARED or (outer is not None and outer.over and not said.afterwards):
            continue
        value = _holding(said, attribute, outer, tenant)
        if value is not None:
            marks.append((attribute, value))
    return tuple(marks)


def people_in(context: Context, binding: Binding | None) -> Mapping[str, Said] | None:
    """What `context` itself says about user and session, for work that belongs to the request `binding`; None if nothing."""
    standing = standing_in(context)
    if standing is None or standing.people is None:
        return None
    found = {attribute: _said_in(context, binding, attribute) for attribute in standing.people}
    same = standing.binding is binding
    return {
        attribute: said if same else said.in_another_request()
        for attribute, said in found.items()
        if said is not _NOTHING
    } or None


def home_in(context: Context, binding: Binding | None) -> str | None:
    """The tenant of a user or session that is set in `context`: `Said.home`."""
    tenant = current_tenant(context)
    if tenant is not None:
        return tenant
    if said_in(context, binding)[0] is State.NONE or (binding is not None and binding.tenant is not None):
        # The request has a tenant that does not hold here.
        return NOBODYS
    return None


def _said_in(context: Context, binding: Binding | None, attribute: str) -> Said:
    standing = standing_in(context)
    said = None if standing is None or standing.people is None else standing.people.get(attribute)
    if standing is None or said is None or is_left_behind(standing, binding, afterwards=said.afterwards):
        return _NOTHING
    # A clear belongs to one request and says nothing about the next.
    return _NOTHING if said.state is State.CLEARED and standing.binding is not binding else said


def _holding(said: Said, attribute: str, binding: Binding | None, tenant: str | None) -> str | None:
    """What was said if it goes with `tenant`; the request's where nothing was, or it was cleared."""
    if said.state is State.SET:
        return said.value if said.goes_with(tenant, binding) else None
    if said.state is State.NONE or binding is None or binding.people is None or binding.mixed:
        return None
    return binding.people.get(attribute) if binding.tenant == tenant else None


def _merge(standing: Standing, bound: Mapping[str, str | None]) -> Marks:
    said = standing.people or {}
    return standing.marks + tuple(
        (attribute, value)
        for attribute, value in bound.items()
        if value is not None and (attribute not in said or said[attribute].state is State.CLEARED)
    )
