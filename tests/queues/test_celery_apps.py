"""Celery where it is sent: tasks that run there, brokers that are gone, apps with handlers and an instrumentor of their own."""

from __future__ import annotations

from support.app import environment, free_port, run_app

# An app, and what became of its spans.
APP = """
    import gc
    import tracium
    from celery import Celery, chain, signals
    from celery.contrib.testing.worker import start_worker
    from opentelemetry.context import get_current
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import get_current_span, get_tracer, get_tracer_provider

    def trace():
        tracium.trace()
        exporter = InMemorySpanExporter()
        get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
        return exporter.get_finished_spans

    def current():
        return tracium.get_current_tenant()

    def tenants(spans):
        return sorted((span.name, str(span.attributes.get("tenant.id"))) for span in spans())
"""


def run(code, **variables):
    ended = run_app(APP + code, environment(OTEL_TRACES_EXPORTER="none", **variables))
    assert "tracium failed" not in ended.stderr
    assert "Failed to detach" not in ended.stderr
    return ended


def test_a_task_that_runs_where_it_is_sent(mechanism):
    """It is the sender's, as all that it sends; what it sets is over with it."""
    ended = run(
        """
    spans = trace()
    app = Celery("app")
    app.conf.update(task_always_eager=True, task_eager_propagates=False)
    seen = []

    @app.task(bind=True, name="task")
    def task(self, depth=0):
        seen.append(current())
        if depth:
            task.delay(depth - 1)
        tracium.set_tenant("elsewhere")
        if self.request.retries == 0 and depth == 0:
            raise self.retry(countdown=0)

    @app.task(name="failing")
    def failing():
        tracium.set_tenant("elsewhere")
        raise ValueError

    with tracium.tenant("acme"), get_tracer("app").start_as_current_span("request") as span:
        before = get_current()
        task.apply_async(link=task.si())
        task.delay(1)
        task.apply()
        chain(task.si(), task.si())()
        failing.delay()
        tenant = set(seen) == {"acme"} and {found for _, found in tenants(spans)} == {"acme"}
        trace = {each.context.trace_id for each in spans()} == {span.get_span_context().trace_id}
        clean = get_current() is before
        assert {name for name, _ in tenants(spans)} == {"run/task", "run/failing"}
        del seen[:]
        task.apply_async(headers={"tenant.id": "named"})
        task.apply(headers={"tenant.id": "named"})
        assert set(seen) == {"named"} and get_current() is before
        try:
            task.apply_async(headers={"tenant.id": ""})
        except ValueError as error:
            refused = type(error).__name__
        assert refused == "TenantValueError" and get_current() is before
    del seen[:]
    task.delay()
    print(tenant, trace, clean and {*seen, current()} == {None})
        """
    )
    tenant, trace, clean = (each == "True" for each in ended.stdout.split())
    mechanism("Celery: eager", tenant=tenant, trace=trace, clean=clean)


def test_a_broker_that_is_gone():
    """The error is Celery's, the span of the sending has it, and the sender's context is what it was."""
    ended = run(
        f"""
    spans = trace()
    app = Celery("app", broker="redis://127.0.0.1:{free_port()}/0")
    app.conf.update(task_publish_retry=False, broker_connection_retry=False, broker_connection_timeout=1)
    """
        """
    @app.task(name="task")
    def task():
        pass

    memory = Celery("memory", broker="memory://", set_as_current=False)
    with tracium.tenant("acme"), get_tracer("app").start_as_current_span("request"):
        before = get_current()
        for send in (task.delay, lambda: app.send_task("unknown"), lambda: memory.send_task("encoded", [object()])):
            try:
                send()
            except Exception as error:
                print(type(error).__module__, type(error).__name__)
            assert get_current() is before
            gc.collect()
            assert get_current() is before
        memory.send_task("sent")
        assert get_current() is before
    for span in spans():
        print(span.name, span.attributes.get("tenant.id"), span.status.status_code.name)
        """
    )
    assert ended.stdout.splitlines() == [
        "kombu.exceptions OperationalError",
        "kombu.exceptions OperationalError",
        "kombu.exceptions EncodeError",
        "apply_async/task acme ERROR",
        "apply_async/unknown acme ERROR",
        "apply_async/encoded acme ERROR",
        "apply_async/sent acme UNSET",
        "request acme UNSET",
    ]


WORKER = """
    seen = []
    app = Celery("app", broker="memory://", backend="cache+memory://")

    @app.task(name="task")
    def task():
        seen.append(("task", current()))

    def work():
        with tracium.tenant("acme"), get_tracer("app").start_as_current_span("request"):
            first = task.delay()
        second = task.delay()
        # A worker inside the app, started while somebody was served.
        with tracium.tenant("globex"), get_tracer("app").start_as_current_span("other request"):
            with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
                first.get(timeout=20), second.get(timeout=20)
"""


def test_handlers_of_the_apps_run_for_the_task():
    """Whether they were connected before us or after: what they set is the task's too, and no other's."""
    run(
        WORKER
        + """
    def prerun(**_):
        seen.append(("prerun", current()))
        if current() is None:
            tracium.set_tenant("from the arguments")

    def postrun(**_):
        seen.append(("postrun", current()))

    def publish(headers, **_):
        # An app's own copy of what goes along.
        headers.setdefault("mine", "x")
        headers.pop("baggage", None)

    signals.task_prerun.connect(prerun, weak=False)
    signals.task_postrun.connect(postrun, weak=False)
    spans = trace()
    signals.before_task_publish.connect(publish, weak=False)
    signals.task_postrun.connect(postrun, weak=False, dispatch_uid="again")
    work()
    assert seen == [
        ("prerun", "acme"), ("task", "acme"), ("postrun", "acme"), ("postrun", "acme"),
        ("prerun", None), ("task", "from the arguments"), *[("postrun", "from the arguments")] * 2,
    ], seen
    assert [tenant for name, tenant in tenants(spans) if name == "run/task"] == ["acme", "from the arguments"]
        """
    )


def test_an_instrumentor_that_the_app_applied_itself():
    """It stays as the app wants it: with links, each task is a trace of its own, and has the tenant all the same."""
    ended = run(
        WORKER
        + """
    CeleryInstrumentor().instrument(use_span_links=True)
    spans = trace()
    work()
    for span in sorted(spans(), key=lambda span: span.start_time):
        print(span.name, span.attributes.get("tenant.id"), span.parent is None, len(span.links))
    assert len({span.context.trace_id for span in spans() if span.name == "run/task"} | {0}) == 3
        """
    )
    assert ended.stdout.splitlines() == [
        "request acme True 0",
        "apply_async/task acme False 0",
        "apply_async/task None True 0",
        "other request globex True 0",
        "run/task acme True 1",
        "run/task None True 1",
    ]


def test_without_spans_the_tenant_goes_along():
    """Where the instrumentor is disabled; the trace goes along as well."""
    run(
        WORKER
        + """
    spans = trace()
    work()
    assert seen == [("task", "acme"), ("task", None)], seen
    assert {span.name for span in spans()} == {"request", "other request"}
        """,
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="celery",
    )
