"""The tenant onto every span, with its user and session: a span processor that does this one thing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind

from tracium import notices
from tracium.attributes import TENANT_ID, TENANT_MIXED
from tracium.faults import fault
from tracium.tenancy.block import here
from tracium.tenancy.identity import is_tenant
from tracium.tenancy.marking import ALIASES, Marking, PublicMarking, direct_marking, say_cut
from tracium.tenancy.people import inherited_people, plain_people, recorded_people
from tracium.tenancy.request import (
    PLACE,
    Binding,
    Bound,
    Place,
    begins_request,
    fetches_messages,
    open_ancestor,
    put_place,
)
from tracium.tenancy.standing import (
    BAGGAGE,
    SPAN,
    STANDING,
    Standing,
    binding_in,
    inherited_tenant,
    recorded_tenant,
    span_in,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context

    from tracium.tenancy.said import Marks

_INTERNAL: Final = SpanKind.INTERNAL
_CLIENT: Final = SpanKind.CLIENT


class TenantSpanProcessor(SpanProcessor):
    """Marks each span at its start with `tenant.id`, and with `user.id` and `session.id` where they were set.

    A span's tenant is, in this order: the attribute that its caller gave it, the tenant in its parent context, the
    tenant of its request, the default, none. `tenant_span_processor` makes the one that suits the installed SDK.

    Attributes:
        default: The tenant of spans that have none, or None. It never binds a request: the first tenant that is set
            replaces it.
    """

    def __init__(self, default: str | None = None, marking: Marking | None = None, aliases: Sequence[str] = ()) -> None:
        self.default = default
        self.aliases = tuple(aliases)
        self._marking = PublicMarking() if marking is None else marking
        # The longest id that the provider is known not to cut.
        self._uncut = 0

    @property
    def aliases(self) -> tuple[str, ...]:
        """The attributes besides `tenant.id` that hold the tenant of spans which start from now on.

        One that the caller of a span gave stays.
        """
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: Sequence[str]) -> None:
        self._aliases = further_names(aliases)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Mark `span`; this runs inside the customer's request."""
        try:
            context = get_current() if parent_context is None else parent_context
            standing = plainly_said(context)
            tenant = None if standing is None else standing.tenant
            kind = span.kind
            if tenant is None or standing is None or (kind is not _INTERNAL and kind is not _CLIENT) or span.attributes:
                self._place(span, here() if parent_context is None else parent_context)
                return
            put_place(span, standing.place_below(context.get(SPAN)))
            self._write(span, TENANT_ID, tenant)
            for alias in self._aliases:
                self._write(span, alias, tenant)
            for attribute, value in plain_people(standing):
                self._write(span, attribute, value)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("marking a span", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Say it when a span lost its tenant to the SDK's limit, which only direct marking prevents."""
        if span.dropped_attributes and TENANT_ID not in (span.attributes or ()):
            notices.say(
                "tenant:dropped",
                logging.WARNING,
                f"A span may have lost {TENANT_ID}: it had more attributes than OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT allows. "
                "Raise the limit, or use an OpenTelemetry SDK that this tracium knows.",
            )

    def _write(self, span: Span, attribute: str, value: str) -> None:
        """Write onto a span that has not got the attribute."""
        if len(value) <= self._uncut:
            span.set_attribute(attribute, value)
            return
        self._marking.mark(span, attribute, value, over=False)
        stands: Any = (span.attributes or {}).get(attribute)
        self._uncut = max(self._uncut, len(stands or ""))

    def _place(self, span: Span, context: Context) -> None:
        """The whole rule, for every kind of span and everything that a context may say."""
        kind, attributes = span.kind, span.attributes
        if begins_request(kind, attributes):
            binding: Binding | None = _request_of(span, context)
        else:
            binding = binding_in(context)
        tenant, by_default = recorded_tenant(context, binding, self.default)
        if attributes and TENANT_ID in attributes:
            given = self._keep_given(span, attributes, tenant, binding)
            by_default = False
            if given is not None and not fetches_messages(kind, attributes):
                self._mark(span, given, recorded_people(context, binding, given))
        elif not fetches_messages(kind, attributes):
            if tenant is not None:
                self._marking.mark(span, TENANT_ID, tenant, over=False)
            self._mark(span, tenant, recorded_people(context, binding, None if by_default else tenant))
        if binding is not None or by_default:
            put_place(span, Place(binding, open_ancestor(span_in(context)), by_default=by_default))

    def _mark(self, span: Span, tenant: str | None, people: Marks) -> None:
        """Write what goes with the tenant, and leave what the caller gave."""
        if self._aliases:
            # Also a default may be replaced, when a tenant is set.
            setattr(span, ALIASES, self._aliases)
            if tenant is not None:
                for alias in self._aliases:
                    self._marking.mark(span, alias, tenant, over=False)
        for attribute, value in people:
            self._marking.mark(span, attribute, value, over=False)

    def _keep_given(self, span: Span, attributes: Any, tenant: str | None, binding: Binding | None) -> str | None:
        """Leave the tenant that the caller gave to the span, unless the SDK may have cut it to a part.

        Returns:
            The tenant that the span has then, or None if none can have that id.
        """
        given = attributes[TENANT_ID]
        if not isinstance(given, str):
            return None
        if len(given) == self._marking.limit(span):
            self._marking.unmark(span, TENANT_ID)
            if tenant is None or not tenant.startswith(given):
                say_cut()
                return None
            self._marking.mark(span, TENANT_ID, tenant, over=False)
            return tenant
        if not is_tenant(given):
            return None
        if binding is not None and binding.entry is span and binding.bind(given) is Bound.MIXED:
            span.set_attribute(TENANT_MIXED, value=True)
        return given


class DirectTenantSpanProcessor(TenantSpanProcessor):
    """The same rules; what is usual is decided in one look and written into the span without a lock."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Mark `span`; this runs inside the customer's request."""
        try:
            context = get_current() if parent_context is None else parent_context
            kind = span._kind  # noqa: SLF001 - this and the others were tried out by DirectMarking
            if kind is _INTERNAL or kind is _CLIENT:
                standing = plainly_said(context)
                if standing is not None:
                    # Nobody else knows the span yet, so this writes what DirectMarking.mark writes under locks.
                    values: Any = span._attributes._dict  # type: ignore[union-attr] # noqa: SLF001
                    if TENANT_ID not in values:
                        values[TENANT_ID] = standing.tenant
                        place, marks, binding = standing.place, standing.marks, standing.binding
                        if binding is not None:
                            above = context.get(SPAN)
                            if above is not standing.span:
                                place = standing.place_below(above)
                            if binding.people is not None:
                                marks = plain_people(standing)
                        span._tracium_place = place  # type: ignore[attr-defined] # noqa: SLF001 - PLACE
                        for attribute, value in marks:
                            values.setdefault(attribute, value)
                        for alias in self._aliases:
                            values.setdefault(alias, standing.tenant)
                        return
            self._place(span, here() if parent_context is None else parent_context)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("marking a span", error)

    on_end = SpanProcessor.on_end


def tenant_span_processor(default: str | None = None, aliases: Sequence[str] = ()) -> TenantSpanProcessor:
    """The processor for the installed SDK.

    Args:
        default: The tenant of spans that have none, or None.
        aliases: The attributes besides `tenant.id` that hold the tenant.
    """
    direct = direct_marking()
    if direct is None:
        return TenantSpanProcessor(default, aliases=aliases)
    return DirectTenantSpanProcessor(default, direct, aliases)


def further_names(aliases: Sequence[str]) -> tuple[str, ...]:
    """`aliases`, each once and without `tenant.id`, which holds the tenant in any case."""
    return tuple(dict.fromkeys(alias for alias in aliases if alias != TENANT_ID))


def plainly_said(context: Context) -> Standing | None:
    """What `context` says itself, if it has a tenant and nothing about it needs a second look."""
    standing: Any = context.get(STANDING)
    if standing is None or standing.tenant is None or standing.baggage is not context.get(BAGGAGE):
        return None
    scope = standing.scope
    if scope is not None and scope.left:
        return None
    binding = standing.binding
    if binding is not None and binding.tenant is None:
        # In a request that has no tenant yet each span must know its place, to be found when one is set.
        return None
    span = context.get(SPAN)
    if span is not standing.span:
        place = getattr(span, PLACE, None)
        if place is not None and place.binding is not binding:
            return None
    plain: Standing = standing
    return plain


def _request_of(span: Span, context: Context) -> Binding:
    """The binding of the request that `span` begins: the one waiting in its context, else a new one."""
    waiting = binding_in(context)
    if waiting is not None and waiting.claim(span):
        return waiting
    binding = Binding()
    binding.claim(span)
    tenant = inherited_tenant(context)
    if tenant is not None:
        binding.bind(tenant)
    for attribute, value in inherited_people(context):
        binding.bind_person(attribute, value)
    return binding
