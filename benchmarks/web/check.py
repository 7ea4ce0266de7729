"""Whether each span carries the tenant of the request that it is part of, and each request has its spans."""

from collections import Counter

# The app's own spans by kind of request.
OWN = {"stream": ("work", "first", "second")}
# FastAPI prepares a websocket's endpoint before that can set the tenant; there is no middleware by hand for these.
EARLY = {("ws", "fastapi.dependencies")}


def check(requests, spans, *, early=False):
    """What is wrong, as counts; `early`: some spans may end before the app sets the tenant."""
    sent = {request.number: request for request in requests}
    of_trace, wrong = _requests_of_traces(spans)
    server, own = Counter(), Counter()
    for span in spans:
        request = sent.get(of_trace.get(span.trace) if span.request is None else span.request)
        if request is None:
            wrong["spans of no request"] += 1
            continue
        if span.server:
            server[request.number] += 1
        elif span.request is not None:
            own[request.number, span.name] += 1
        if not (early and span.tenant is None and (request.kind, span.name) in EARLY):
            wrong += _tenant(span, request)
    wrong += _numbers("server spans", server, sent)
    expected = [(number, name) for number, request in sent.items() for name in OWN.get(request.kind, ("work",))]
    wrong += _numbers("spans of the app", own, expected)
    return wrong


def _requests_of_traces(spans):
    of_trace, wrong = {}, Counter()
    for span in spans:
        if span.request is not None and of_trace.setdefault(span.trace, span.request) != span.request:
            wrong["spans in another request's trace"] += 1
    return of_trace, wrong


def _tenant(span, request):
    if span.tenant == request.tenant:
        return Counter()
    if span.tenant is None:
        return Counter({"server spans without a tenant" if span.server else f"spans without a tenant: {span.name}": 1})
    return Counter({"spans with a wrong tenant": 1})


def _numbers(what, found, expected):
    missing = sum(key not in found for key in expected)
    double = sum(count > 1 for count in found.values())
    return Counter({name: count for name, count in ((f"{what} missing", missing), (f"{what} double", double)) if count})
