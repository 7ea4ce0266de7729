"""What every queue's tasks do: a span that says for whom the task is, and the tenant that held."""

from opentelemetry import trace

import tracium

TENANTS = 100
tracer = trace.get_tracer("soak")


def tenant_of(number):
    return f"tenant {number % TENANTS}"


def work(number):
    """Do task `number`; every tenth sets another tenant and leaves it, and every fourteenth fails."""
    with tracer.start_as_current_span("work", attributes={"request.id": number}):
        held = tracium.get_current_tenant()
    if held != tenant_of(number):
        raise SystemExit(f"task {number} of {tenant_of(number)} ran under {held}")
    if number % 10 == 0:
        tracium.set_tenant("whoever the task works for too")
    if number % 14 == 0:
        raise ValueError("a task that fails")


def send_each(numbers, send):
    """Send every task under its tenant."""
    for number in numbers:
        with tracium.tenant(tenant_of(number)):
            send(number)
