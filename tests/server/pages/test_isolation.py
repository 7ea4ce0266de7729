"""Who sees what on the pages: a tenant's token sees its own tenant, and of that only what is granted."""

from __future__ import annotations

import json
import re

import pytest
from support.serving import Serving
from support.story import a_day

HTML = {"Accept": "text/html"}
OTHERS = ("globex", "initech", "org_123", "550e8400")
PATHS = (
    "/overview", "/tenants", "/tenants?search=glo", "/tenant?tenant=acme-corp", "/tenant?tenant=globex", "/tenant?none=true",
    "/compare", "/compare?tenant=acme-corp&tenant=globex", "/traces", "/traces?tenant=globex", "/traces?text=globex", "/errors",
    "/session?session=session-1", "/usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with an administrator's token, one of acme's with nothing granted, and one with everything."""
    with Serving(tmp_path_factory.mktemp("guarded")) as server:
        server.send(a_day().SerializeToString())
        server.admin = make(server, {}, kind="admin")
        server.plain = make(server, bearer(server.admin), kind="read", tenants=["acme-corp"])
        grants = ["cost", "content", "attributes", "stacktraces"]
        server.full = make(server, bearer(server.admin), kind="read", tenants=["acme-corp"], grants=grants)
        server.usage = make(server, bearer(server.admin), kind="usage", tenants=["acme-corp"])
        yield server


def make(server, headers, **told):
    headers = {"Content-Type": "application/json", **headers}
    status, _, body = server.ask("POST", "/api/v1/tokens", json.dumps(told), headers)
    assert status == 201, body
    return json.loads(body)["secret"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def look(server, token, path):
    status, _, body = server.ask("GET", path, None, {**HTML, **bearer(token)})
    return status, body.decode()


def own_trace(server, token):
    return re.search(
        r"/traces/([0-9a-f]{32})", look(server, token, "/traces?status=error")[1] + look(server, token, "/traces")[1]
    ).group(1)


def a_call(server, trace):
    """The id of a model call of a trace."""
    status, _, body = server.ask("GET", f"/api/v1/traces/{trace}", None, bearer(server.full))
    assert status == 200
    return next(row["span_id"] for row in json.loads(body)["rows"] if row["operation"] == "chat")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_another_tenant(guarded, path):
    """On no page does acme's token show another tenant, except the name that the URL itself brought."""
    for token in (guarded.plain, guarded.full):
        status, page = look(guarded, token, path)
        assert status == 200
        brought = [name for name in OTHERS if name in path]
        assert [name for name in OTHERS if name in page and name not in brought] == []


def test_another_tenants_trace_is_no_trace(guarded):
    """Its address is answered as one that never was."""
    (theirs,) = {
        re.search(r"/traces/([0-9a-f]{32})", look(guarded, guarded.admin, "/traces?tenant=globex")[1]).group(1)
    }
    for path in (
        f"/traces/{theirs}",
        f"/traces/{theirs}/columns",
        f"/traces/{theirs}/spans/{'0' * 16}",
        f"/traces/{theirs}/span?name=POST+/resolve",
    ):
        status, page = look(guarded, guarded.full, path)
        unknown = path.replace(theirs, "f" * 32)
        assert (status, page.replace(theirs, "f" * 32)) == look(guarded, guarded.full, unknown)
        assert status == 404


def test_only_what_is_granted(guarded):
    """Money, prompts and stack traces are shown to the token that they are granted to, and to no other."""
    trace = own_trace(guarded, guarded.full)
    call = a_call(guarded, trace)
    plain = (
        look(guarded, guarded.plain, f"/traces/{trace}/spans/{call}")[1] + look(guarded, guarded.plain, "/overview")[1]
    )
    full = look(guarded, guarded.full, f"/traces/{trace}/spans/{call}")[1] + look(guarded, guarded.full, "/overview")[1]
    for secret in ("Where is my parcel", "server.address", "$"):
        assert secret not in plain
        assert secret in full
    assert "Where is my parcel" not in look(guarded, guarded.plain, "/session?session=session-1")[1]


def test_numbers_only(guarded):
    """A token for usage sees no trace, and no page links to one."""
    assert look(guarded, guarded.usage, "/traces")[0] == 403
    assert look(guarded, guarded.usage, "/errors")[0] == 403
    for path in ("/overview", "/tenants", "/tenant?tenant=acme-corp", "/usage"):
        status, page = look(guarded, guarded.usage, path)
        assert status == 200
        assert 'href="/traces' not in page


def test_reading_content_is_noted(guarded):
    """Before a prompt is shown, the audit log says who sees it."""
    trace = own_trace(guarded, guarded.full)
    call = a_call(guarded, trace)
    look(guarded, guarded.full, f"/traces/{trace}/spans/{call}")
    _, _, body = guarded.ask("GET", "/api/v1/audit", None, bearer(guarded.admin))
    assert f"{trace}/{call}" in [
        one["target"] for one in json.loads(body)["entries"] if one["action"] == "content.read"
    ]


@pytest.mark.parametrize("path", ["/overview", "/tenants", "/tenant", "/compare", "/traces", "/errors", "/usage"])
def test_a_page_with_an_ending(guarded, path):
    """The URL of a page with .csv or .json leads to its rows in the API, which answer."""
    query = "?tenant=acme-corp&tenant=globex&range=7d"
    for form in ("csv", "json"):
        status, headers, _ = guarded.ask("GET", f"{path}.{form}{query}", None, bearer(guarded.admin))
        assert status == 307
        assert headers["location"].startswith("/api/v1/")
        assert guarded.ask("GET", headers["location"], None, bearer(guarded.admin))[0] == 200


def test_the_way_to_sign_in(guarded):
    """A browser without a token is led to the sign-in page, and back to where it wanted to go, on this server only."""
    status, headers, _ = guarded.ask("GET", "/traces?status=error", None, HTML)
    assert (status, headers["location"]) == (303, "/sign-in?next=/traces%3Fstatus%3Derror")
    for place, followed in (("//evil.example", "/overview"), ("/\\evil.example", "/overview"), ("/usage", "/usage")):
        _, _, body = guarded.ask("GET", f"/sign-in?next={place}", None, HTML)
        assert f'data-next="{followed}"' in body.decode()


def test_only_administrators_see_the_settings(guarded):
    """The page of tokens answers nobody else, in words."""
    status, page = look(guarded, guarded.full, "/settings")
    assert status == 403
    assert "a token of kind read is not for this" in page
    assert look(guarded, guarded.admin, "/settings")[0] == 200


def test_programs_get_no_pages(guarded):
    """What is no browser is refused in JSON, also on a page's path."""
    status, headers, body = guarded.ask("GET", "/traces")
    assert (status, headers["content-type"]) == (401, "application/json")
    assert "error" in json.loads(body)
