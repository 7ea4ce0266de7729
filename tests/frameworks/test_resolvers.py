"""Who the tenant of a request is, by what a client sends: through both generic middlewares, ASGI's and WSGI's."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import hmac
import json
import logging
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from wsgiref.util import setup_testing_defaults

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.app import free_port

import tracium
from tracium import notices
from tracium.frameworks import asgi, wsgi
from tracium.frameworks.resolvers import (
    Resolver,
    as_resolver,
    first_of,
    from_header,
    from_jwt_claim,
    from_path,
    from_subdomain,
)

HEADER = "X-Tenant-ID"
TRUSTED = from_header(HEADER, trusted_proxy=True)
SECRET = "a secret of this installation, long enough for HS256"
ISSUER = "https://id.example"
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Refused(Exception):  # noqa: N818 - an answer
    """The middleware answered in the app's place; its argument is the status."""


def ask_asgi(resolver, *headers, path=b"/", **scope):
    """The tenant that an ASGI app sees, of a request with these headers (pairs of a name and bytes)."""
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(tracium.get_current_tenant())

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    pairs = [(name.lower().encode(), value) for name, value in headers]
    scope = {"type": "http", "method": "GET", "path": path.decode(), "headers": pairs, **scope}
    asyncio.run(asgi.TenantMiddleware(app, resolver)(scope, receive, send))
    if not seen:
        raise Refused(sent[0]["status"])
    return seen[0]


def ask_wsgi(resolver, *headers, path=b"/", script=b""):
    """The same of a WSGI app; as servers do, several headers of one name are joined."""
    seen, sent = [], []
    environ = {"SCRIPT_NAME": script.decode("latin-1"), "PATH_INFO": path.decode("latin-1")}
    setup_testing_defaults(environ)
    del environ["HTTP_HOST"]
    for name, value in headers:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        environ[key] = f"{environ[key]},{value.decode('latin-1')}" if key in environ else value.decode("latin-1")

    def app(environ, start_response):
        seen.append(tracium.get_current_tenant())
        return []

    wsgi.TenantMiddleware(app, resolver)(environ, lambda status, headers: sent.append(int(status[:3])))
    if not seen:
        raise Refused(sent[0])
    return seen[0]


WAYS = {"asgi": ask_asgi, "wsgi": ask_wsgi}


@pytest.fixture(params=WAYS)
def ask(request):
    return WAYS[request.param]


def header(value):
    return HEADER, value


def host(value):
    return "Host", value


def said(level):
    """What was said at this level, or above it."""
    return [notice.text for notice in notices.notices() if notice.level >= level]


@pytest.mark.parametrize("sent", [HEADER, "x-tenant-id", "X-TENANT-ID"])
@pytest.mark.parametrize("named", [HEADER, "x-tenant-id"])
def test_case_of_a_header_does_not_matter(ask, sent, named):
    """Names of headers have none."""
    assert ask(from_header(named, trusted_proxy=True), (sent, b"acme")) == "acme"


@pytest.mark.parametrize(
    ("value", "tenant"),
    [
        (b"acme", "acme"),
        ("Zürich-北京".encode(), "Zürich-北京"),
        (b"Z\xfcrich", "Zürich"),
        (b" \tacme \t", "acme"),
        (b"acme corp", "acme corp"),
        (b"", None),
        (b" \t ", None),
    ],
)
def test_value_of_a_header(ask, value, tenant):
    """It is UTF-8, else Latin-1; space around it does not count, and nothing names nobody."""
    assert ask(TRUSTED, header(value)) == tenant


@pytest.mark.parametrize("value", [b"acme\x85", b"\x1cacme", b"acme\x0b", b"ac\x07me"])
def test_control_characters_in_a_header_are_refused_wherever_they_stand(ask, value):
    """Only space and tab may stand around a value (RFC 9110, section 5.5); to drop others makes it another's id."""
    with pytest.raises(Refused, match="400"):
        ask(TRUSTED, header(value))


def test_a_comma_may_stand_for_two_headers_where_servers_join_them():
    """No tenant is better than one that nobody has."""
    assert ask_wsgi(TRUSTED, header(b"acme,globex")) is None
    assert ask_asgi(TRUSTED, header(b"acme,globex")) == "acme,globex"


def test_no_header_names_nobody(ask):
    """Others do not count either."""
    assert ask(TRUSTED, ("X-Tenant", b"acme"), ("Tenant-ID", b"acme")) is None


@pytest.mark.parametrize("values", [(b"acme", b"globex"), (b"acme", b"acme"), (b"", b"acme")])
def test_a_header_that_is_sent_twice_names_nobody(values):
    """Which one counts would be a guess; the operator may know, at INFO, without the values."""
    assert ask_asgi(TRUSTED, *map(header, values)) is None
    assert said(logging.WARNING) == []
    (text,) = said(logging.INFO)
    assert HEADER in text
    assert "acme" not in text


def test_a_header_that_a_server_joined_is_nobody_that_is_known():
    """WSGI servers join several headers of one name, so that neither value counts."""
    known = from_header(HEADER, known={"acme", "globex"})
    assert ask_wsgi(known, header(b"acme"), header(b"globex")) is None


@pytest.mark.parametrize(
    "name", ["X_Tenant_ID", "X Tenant", "X-Tenant\r\n", "X-Tenant\r\nSet-Cookie: a", "X:Tenant", "Ténant", "", None, 5]
)
def test_what_cannot_be_the_name_of_a_header_is_refused(name):
    """An underscore cannot either: WSGI has the same name for another header."""
    with pytest.raises(tracium.SettingError, match="header's name is") as caught:
        from_header(name, trusted_proxy=True)
    assert repr(name) in str(caught.value)


SUBDOMAIN = from_subdomain("example.com", trusted_proxy=True)


@pytest.mark.parametrize(
    ("sent", "tenant"),
    [
        (b"acme.example.com", "acme"),
        (b"acme.example.com:8000", "acme"),
        (b"ACME.Example.COM", "acme"),
        (b"acme.example.com.", "acme"),
        (b"acme.example.com.:443", "acme"),
        (b"example.com", None),
        (b".example.com", None),
        (b"www.example.com", None),
        (b"WWW.example.com:80", None),
        (b"a.acme.example.com", None),
        (b"acme.example.org", None),
        (b"acme.evilexample.com", None),
        (b"evilexample.com", None),
        (b"acme.example.com.evil.com", None),
        (b"acme.example.com:80.evil.com", None),
        (b"acme.example.com..", None),
        (b"[::1]:8000", None),
        (b"[::1]", None),
        (b"127.0.0.1:8000", None),
        (b"localhost", None),
        (b"", None),
        (b":80", None),
    ],
)
def test_host(ask, sent, tenant):
    """One label in front of the domain is the tenant, and nothing else is."""
    assert ask(SUBDOMAIN, host(sent)) == tenant


def test_without_one_host_there_is_no_subdomain(ask):
    """None, or two of them."""
    assert ask(SUBDOMAIN) is None
    assert ask(SUBDOMAIN, host(b"acme.example.com"), host(b"globex.example.com")) is None
    assert ask(SUBDOMAIN, host(b"acme.example.com"), host(b"acme.example.com")) is None


@pytest.mark.parametrize("domain", ["example.com", "Example.COM", ".example.com", "example.com."])
def test_domain_as_people_write_it(ask, domain):
    """Dots around it and its case do not matter, nor does the case of what is ignored."""
    resolver = from_subdomain(domain, ignore=["Admin"], trusted_proxy=True)
    assert ask(resolver, host(b"acme.example.com")) == "acme"
    assert ask(resolver, host(b"admin.example.com")) is None
    assert ask(resolver, host(b"www.example.com")) == "www"


@pytest.mark.parametrize(
    "domain", ["", ".", "https://example.com", "example.com:443", "example.com/", "a@b", "a b", "*.example.com", None]
)
def test_what_cannot_be_a_domain_is_refused(domain):
    """It would never be met."""
    with pytest.raises(tracium.SettingError, match="domain is") as caught:
        from_subdomain(domain, trusted_proxy=True)
    assert repr(domain) in str(caught.value)


def test_ignore_as_a_string_is_refused():
    """It would be taken for its letters, and `www` for a tenant."""
    with pytest.raises(tracium.SettingError, match="ignore"):
        from_subdomain("example.com", ignore="www", trusted_proxy=True)


@pytest.mark.parametrize(
    ("template", "path", "tenant"),
    [
        ("/t/{tenant}", b"/t/acme", "acme"),
        ("/t/{tenant}", b"/t/acme/", "acme"),
        ("/t/{tenant}/", b"/t/acme/chat/1", "acme"),
        ("/{tenant}", b"/acme/chat", "acme"),
        ("/api/{tenant}/v1", b"/api/acme/v1/chat", "acme"),
        ("/api/{tenant}/v1", b"/api/acme/v2", None),
        ("/api/{tenant}/v1", b"/api/acme/v10", None),
        ("/t/{tenant}", "/t/Zürich-北京".encode(), "Zürich-北京"),
        ("/t/{tenant}", b"/t/acme corp", "acme corp"),
        ("/t/{tenant}", b"/t/acme/a\nb", "acme"),
        ("/a.b/{tenant}", b"/axb/acme", None),
        ("/t/{tenant}", b"/x/t/acme", None),
        ("/t/{tenant}", b"/tt/acme", None),
        ("/t/{tenant}", b"/t/", None),
        ("/t/{tenant}", b"/t//acme", None),
        ("/t/{tenant}", b"/t", None),
        ("/t/{tenant}", b"", None),
    ],
)
def test_path(ask, template, path, tenant):
    """The tenant is one whole segment of the decoded path."""
    assert ask(from_path(template, trusted_proxy=True), path=path) == tenant


def test_path_of_a_wsgi_app_that_is_mounted():
    """Its beginning, which leads to the app, belongs to it, whatever its letters."""
    resolver = from_path("/Büro/{tenant}", trusted_proxy=True)
    assert ask_wsgi(resolver, script="/Büro".encode(), path="/Zürich/chat".encode()) == "Zürich"
    assert ask_wsgi(resolver, script="/Büro/Zürich".encode(), path=b"") == "Zürich"


def test_a_line_break_in_the_path_is_no_end(ask):
    """It would make one tenant of another."""
    with pytest.raises(Refused, match="400"):
        ask(from_path("/t/{tenant}", trusted_proxy=True), path=b"/t/acme\n")


@pytest.mark.parametrize(
    "template",
    [
        "",
        "t/{tenant}",
        "/t",
        "/t/{tenant}x",
        "/t/x{tenant}",
        "/{tenant}/{tenant}",
        "/x{tenant}/{tenant}",
        "/{version}/t/{tenant}",
        None,
    ],
)
def test_what_cannot_be_a_template_is_refused(template):
    """It must have the tenant once, as a whole segment."""
    with pytest.raises(tracium.SettingError, match="path is") as caught:
        from_path(template, trusted_proxy=True)
    assert repr(template) in str(caught.value)


def claims(**changed):
    """Those of a good token, with these changed; None takes one away."""
    all_of_them = {"tenant_id": "acme", "aud": "shop", "iss": ISSUER, "exp": time.time() + 600, **changed}
    return {name: value for name, value in all_of_them.items() if value is not None}


def hs256(payload, key=SECRET, algorithm="HS256"):
    return jwt.encode(payload, key, algorithm=algorithm)


def rs256(payload, key=RSA, algorithm="RS256", **header):
    return jwt.encode(payload, key, algorithm=algorithm, headers=header)


def forged(head, payload, secret=None):
    """A token made by hand: what PyJWT would not sign."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (head, json.dumps(payload).encode())]
    signature = b"" if secret is None else hmac.digest(secret.encode(), b".".join(parts), hashlib.sha256)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def bearer(token):
    return "Authorization", f"Bearer {token}".encode()


def by_secret(claim="tenant_id", **options):
    given = {"key": SECRET, "algorithms": ["HS256"], "audience": "shop", "issuer": ISSUER, **options}
    return from_jwt_claim(claim, **given)


def by_public_key(**options):
    return by_secret(**{"key": PEM, "algorithms": ["RS256"], **options})


GOOD = {
    "HS256": (by_secret, hs256),
    "RS256": (by_public_key, rs256),
    "RS256, a key object": (lambda: by_public_key(key=RSA.public_key()), rs256),
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_token_names_its_tenant(ask, kind):
    """Signed with a secret, or with a private key."""
    resolver, sign = GOOD[kind]
    assert ask(resolver(), bearer(sign(claims()))) == "acme"
    assert notices.notices() == ()


def tampered():
    """The signature of one token on the claims of another."""
    mine, others = rs256(claims(tenant_id="globex")).split("."), rs256(claims()).split(".")
    return ".".join([mine[0], others[1], mine[2]])


# What by_public_key() must not believe.
BAD_TOKENS = {
    "expired": lambda: rs256(claims(exp=time.time() - 5)),
    "not yet valid": lambda: rs256(claims(nbf=time.time() + 600)),
    "another key": lambda: rs256(claims(), OTHER_RSA),
    "another kind of key": lambda: rs256(claims(), EC, "ES256"),
    "another algorithm of the same key": lambda: rs256(claims(), algorithm="RS512"),
    "another audience": lambda: rs256(claims(aud="bank")),
    "no audience": lambda: rs256(claims(aud=None)),
    "another issuer": lambda: rs256(claims(iss="https://evil.example")),
    "no issuer": lambda: rs256(claims(iss=None)),
    "a time that is none": lambda: rs256(claims() | {"exp": []}),
    "alg none": lambda: forged(b'{"alg":"none","typ":"JWT"}', claims()),
    "alg NoNe": lambda: forged(b'{"alg":"NoNe","typ":"JWT"}', claims()),
    "no signature": lambda: forged(b'{"alg":"RS256","typ":"JWT"}', claims()),
    "no algorithm": lambda: forged(b'{"typ":"JWT"}', claims()),
    "HS256 with the public key": lambda: forged(b'{"alg":"HS256","typ":"JWT"}', claims(), PEM),
    "HS256 with no key": lambda: forged(b'{"alg":"HS256","typ":"JWT"}', claims(), ""),
    "the claims of another": tampered,
    "an algorithm that is a list": lambda: forged(b'{"alg":["RS256"]}', claims()),
    "a head that is no object": lambda: forged(b"null", claims()),
    "a head that is a bomb": lambda: forged(b"[" * 9000, claims()),
    "no token": lambda: "",
    "one part": lambda: "acme",
    "dots": lambda: "...",
    "letters that no token has": lambda: "ä.ö.ü",
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_token_that_is_not_verified_names_nobody(ask, kind):
    """And it is no problem of the operator's: what is said is INFO, and repeats nothing of it."""
    token = BAD_TOKENS[kind]()
    assert ask(by_public_key(), bearer(token)) is None
    assert said(logging.WARNING) == []
    told = said(logging.INFO)
    assert len(told) <= 1
    assert not any(text in sentence for sentence in told for text in ("acme", "globex", *filter(None, [token])))


def test_a_secret_that_is_another_is_not_believed(ask):
    """Nor is the right one with another algorithm."""
    assert ask(by_secret(), bearer(hs256(claims(), "x" * 40))) is None
    assert ask(by_secret(), bearer(hs256(claims(), "x" * 64, "HS512"))) is None
    assert ask(by_secret(), bearer(hs256(claims(), SECRET * 2, "HS512"))) is None


def test_a_token_with_an_audience_is_not_believed_where_none_was_named(ask):
    """It was made for somebody else."""
    assert ask(by_secret(audience=None), bearer(hs256(claims()))) is None
    assert ask(by_secret(audience=None), bearer(hs256(claims(aud=None)))) == "acme"
    assert ask(by_secret(audience=["bank", "shop"]), bearer(hs256(claims()))) == "acme"


def test_leeway_is_for_clocks_that_differ(ask):
    """It is in seconds."""
    token = bearer(hs256(claims(exp=time.time() - 30)))
    assert ask(by_secret(leeway=300), token) == "acme"
    assert ask(by_secret(leeway=10), token) is None


@pytest.mark.parametrize(
    ("value", "tenant", "told"),
    [
        ("acme", "acme", 0),
        (42, "42", 0),
        (0, "0", 0),
        ("", None, 0),
        (None, None, 0),
        (True, None, 1),
        (1.5, None, 1),
        (["secret-acme"], None, 1),
        ({"secret-acme": 1}, None, 1),
    ],
)
def test_value_of_a_claim(ask, value, tenant, told):
    """A string or an integer; another type is the issuer's fault, which the operator is told without the value."""
    token = jwt.encode({**claims(), "tenant_id": value}, SECRET, algorithm="HS256")
    assert ask(by_secret(), bearer(token)) == tenant
    warnings = said(logging.WARNING)
    assert len(warnings) == told
    assert all("tenant_id" in text and "secret-acme" not in text for text in warnings)


def test_a_token_without_the_claim_names_nobody(ask):
    """Whatever else it says."""
    assert ask(by_secret("organization"), bearer(hs256(claims()))) is None
    assert notices.notices() == ()


def test_a_claim_that_cannot_be_a_tenant_is_refused(ask):
    """As anything else that cannot be one."""
    with pytest.raises(Refused, match="400"):
        ask(by_secret(), bearer(hs256(claims(tenant_id="a" * 256))))


@pytest.mark.parametrize(
    ("value", "tenant"),
    [
        ("Bearer {}", "acme"),
        ("bearer {}", "acme"),
        ("BEARER  {} ", "acme"),
        ("{}", "acme"),
        ("Basic {}", None),
        ("Bearer Bearer {}", None),
        ("Bearer", None),
        ("", None),
    ],
)
def test_header_of_a_token(ask, value, tenant):
    """`Bearer` and the token, in any case of letters, or the token alone."""
    assert ask(by_secret(), ("Authorization", value.format(hs256(claims())).encode())) == tenant


def test_a_token_may_come_in_another_header(ask):
    """Then the usual one does not count; and two of them name nobody."""
    resolver, token = by_secret(header="X-ID-Token"), hs256(claims()).encode()
    assert ask(resolver, ("X-ID-Token", token)) == "acme"
    assert ask(resolver, ("Authorization", b"Bearer " + token)) is None
    assert ask(resolver, ("X-ID-Token", token), ("X-ID-Token", token)) is None
    assert ask(resolver) is None


@pytest.mark.parametrize(
    ("sent", "tenant"),
    [
        ("id-token={}", "acme"),
        ("a=b; id-token={}; c=d", "acme"),
        ("a=b;id-token={};c", "acme"),
        ("ID-Token={}", None),
        ("my-id-token={}", None),
        ("id-token=", None),
        ("id-token", None),
        ("{}", None),
    ],
)
def test_a_token_may_come_in_a_cookie(ask, sent, tenant):
    """Browsers send no header of the app's with a websocket."""
    cookie = sent.format(hs256(claims())).encode()
    assert ask(by_secret(cookie="id-token"), ("Cookie", cookie)) == tenant
    assert ask(by_secret(), ("Cookie", cookie)) is None


@pytest.mark.parametrize("value", ["Bearer x", "Basic x", ""])
def test_a_header_counts_before_a_cookie(ask, value):
    """Whatever it holds: the cookie is for requests without it."""
    cookie = ("Cookie", f"id-token={hs256(claims())}".encode())
    assert ask(by_secret(cookie="id-token"), ("Authorization", value.encode()), cookie) is None
    other = bearer(hs256(claims(tenant_id="globex")))
    assert ask(by_secret(cookie="id-token"), other, cookie) == "globex"


def test_two_cookies_of_one_name_name_nobody(ask):
    """Frameworks differ in which one counts, so the app may well mean the other."""
    tokens = [hs256(claims(tenant_id=tenant)) for tenant in ("acme", "globex")]
    cookies = "; ".join(f"id-token={token}" for token in tokens)
    assert ask(by_secret(cookie="id-token"), ("Cookie", cookies.encode())) is None


@pytest.mark.parametrize(
    "algorithms",
    [
        ["none"],
        ["None"],
        ["HS256", "none"],
        [],
        "HS256",
        ["HS256", "RS256"],
        ["HS257"],
        ["HS256", 5],
        None,
        5,
        [["HS256"]],
    ],
    ids=str,
)
def test_algorithms_that_prove_nothing_are_refused(algorithms):
    """None at all, a string (it would be taken for its letters), unknown ones, and secrets beside public keys."""
    with pytest.raises(tracium.SettingError, match="algorithms is") as caught:
        by_secret(algorithms=algorithms)
    assert repr(algorithms) in str(caught.value)


@pytest.mark.parametrize("key", ["", b"", None])
@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
def test_an_empty_key_is_refused(key, algorithm):
    """Anyone could sign with it."""
    with pytest.raises(tracium.SettingError, match="key is empty"):
        by_secret(key=key, algorithms=[algorithm])


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        ("s3cr3t-of-ours", ["RS256"]),
        ("s3cr3t-of-ours", ["ES256"]),
        ("-----BEGIN PUBLIC KEY-----\ns3cr3t-of-ours\n-----END PUBLIC KEY-----", ["RS256"]),
        (f"{PEM}s3cr3t-of-ours", ["HS256"]),
        (PEM, ["ES256"]),
        (PEM, ["RS256", "ES256"]),
        (RSA.public_key(), ["HS256"]),
        (19, ["HS256"]),
        (["s3cr3t-of-ours"], ["HS256"]),
        (jwt.PyJWK(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))), ["HS256"]),
    ],
)
def test_a_key_that_does_not_fit_is_refused(key, algorithms):
    """At once, and not by tokens that are never believed; messages end up in logs, so they do not repeat it."""
    with pytest.raises(tracium.SettingError, match="does not fit") as caught:
        by_secret(key=key, algorithms=algorithms)
    assert "s3cr3t" not in str(caught.value)
    assert "MII" not in str(caught.value)


@pytest.mark.parametrize("claim", ["", None, 5])
def test_a_claim_without_a_name_is_refused(claim):
    """It must be a string."""
    with pytest.raises(tracium.SettingError, match="claim is"):
        by_secret(claim)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("header", None),
        ("header", ""),
        ("header", "X_Token"),
        ("header", "Tökén"),
        ("header", "X-Token\r\n"),
        ("leeway", "60"),
        ("leeway", None),
        ("leeway", True),
        ("audience", 5),
        ("issuer", 5),
        ("cookie", ""),
        ("cookie", 5),
        ("cookie", "id=token"),
    ],
)
def test_an_option_of_tokens_with_a_bad_value_is_refused(option, value):
    """When it is given, and not by each request, which would fail with 500 or never have a tenant."""
    with pytest.raises(tracium.SettingError, match=option):
        by_secret(**{option: value})


class KeySource:
    """Like PyJWKClient, and tells in which threads it was asked."""

    def __init__(self, key):
        self.key = key
        self.threads = []

    def get_signing_key_from_jwt(self, token):
        self.threads.append(threading.get_ident())
        return self


def test_a_source_of_keys_is_asked_in_a_thread_where_an_event_loop_runs():
    """It may ask a server, and others must not wait for it meanwhile."""
    source = KeySource(RSA.public_key())
    resolver = by_public_key(key=source)
    assert ask_asgi(resolver, bearer(rs256(claims()))) == "acme"
    assert ask_asgi(resolver, bearer(rs256(claims(), OTHER_RSA))) is None
    assert threading.get_ident() not in source.threads
    assert ask_wsgi(resolver, bearer(rs256(claims()))) == "acme"
    assert source.threads[2] == threading.get_ident()


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_token_whose_algorithm_is_not_that_of_its_key_names_nobody(ask, algorithm):
    """The client chooses both where a source of keys serves several algorithms; it must not get a 500 by that."""
    resolver = by_public_key(key=KeySource(RSA.public_key()), algorithms=["RS256", algorithm])
    assert ask(resolver, bearer(rs256(claims()))) == "acme"
    assert ask(resolver, bearer(forged(b'{"alg":"%b"}' % algorithm.encode(), claims(), "anything"))) is None
    assert said(logging.WARNING) == []


@contextmanager
def key_server(body=None):
    """A server of keys on loopback, which knows the public key `one`, or answers `body`."""
    key = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())), "kid": "one", "use": "sig"}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [key]}).encode() if body is None else body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_keys_from_a_server(ask):
    """PyJWT's client finds them; a token with a key that the server does not know is a client's business."""
    with key_server() as url:
        resolver = by_public_key(key=jwt.PyJWKClient(url))
        assert ask(resolver, bearer(rs256(claims(), kid="one"))) == "acme"
        assert ask(resolver, bearer(rs256(claims(), kid="globex"))) is None
    assert said(logging.WARNING) == []
    assert all("globex" not in text for text in said(logging.INFO))


def test_a_server_of_keys_that_is_away_is_the_operators_business(ask):
    """No token can be believed then, which is a warning."""
    resolver = by_public_key(key=jwt.PyJWKClient(f"http://127.0.0.1:{free_port()}/keys"))
    assert ask(resolver, bearer(rs256(claims(), kid="one"))) is None
    (text,) = said(logging.WARNING)
    assert "PyJWKClientConnectionError" in text


def test_a_server_of_keys_that_answers_with_a_page_is_too(ask):
    """As one that is away: such as the error page of a proxy."""
    with key_server(b"<html>Bad gateway</html>") as url:
        assert ask(by_public_key(key=jwt.PyJWKClient(url)), bearer(rs256(claims(), kid="one"))) is None
    assert len(said(logging.WARNING)) == 1


def nobody(native):
    return None


async def nobody_later(native):
    await asyncio.sleep(0)


def globex(native):
    return "globex"


async def globex_later(native):
    await asyncio.sleep(0)
    return "globex"


async def is_known(tenant):
    await asyncio.sleep(0)
    return tenant in {"acme", "globex"}


KNOWN_LATER = from_header(HEADER, known=is_known)


@pytest.mark.parametrize(
    ("resolvers", "tenant"),
    [
        ([TRUSTED], "acme"),
        ([nobody, TRUSTED], "acme"),
        ([TRUSTED, globex], "acme"),
        ([globex, TRUSTED], "globex"),
        ([nobody_later, TRUSTED], "acme"),
        ([nobody_later, nobody, KNOWN_LATER, globex], "acme"),
        ([nobody, nobody_later, globex_later, TRUSTED], "globex"),
        ([nobody, globex_later], "globex"),
        ([lambda native: "", KNOWN_LATER], "acme"),
        ([nobody, nobody_later], None),
        ([nobody_later, nobody], None),
        ([first_of(nobody, nobody_later), first_of(nobody_later, TRUSTED)], "acme"),
    ],
)
def test_first_of_several(ask, resolvers, tenant):
    """The first that finds one counts, whichever of them are async."""
    assert ask(first_of(*resolvers), header(b"acme")) == tenant


@pytest.mark.parametrize("first", [globex, globex_later])
def test_those_after_the_first_are_not_asked(ask, first):
    """They may cost something."""
    asked = []
    assert ask(first_of(nobody, first, asked.append)) == "globex"
    assert asked == []


@pytest.mark.parametrize("resolvers", [(), (None,), (TRUSTED, "X-Tenant-ID")])
def test_first_of_what_is_no_resolver_is_refused(resolvers):
    """Nothing at all too."""
    with pytest.raises(tracium.SettingError, match=r"at least one|resolver is"):
        first_of(*resolvers)


@pytest.mark.parametrize("found", [5, 0, False, b"", b"acme", []])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_callable_that_gives_no_string_is_the_apps_fault(ask, found, several, is_async):
    """Its own number 0 must not become another's tenant, which the next resolver would find."""

    async def find_later(native):
        return found

    find = find_later if is_async else lambda native: found
    resolver = first_of(find, globex) if several else find
    with pytest.raises(tracium.TenantTypeError, match=type(found).__name__):
        ask(resolver)


class OfTheApp(Resolver):
    def resolve(self, request):
        return request.path.removeprefix("/")


def test_an_app_may_have_resolvers_of_its_own(ask):
    """It stays what it is."""
    resolver = OfTheApp()
    assert as_resolver(resolver) is resolver
    assert ask(resolver, path=b"/acme") == "acme"


CLAIMS = {
    "header": functools.partial(from_header, HEADER),
    "subdomain": functools.partial(from_subdomain, "example.com"),
    "path": functools.partial(from_path, "/t/{tenant}"),
}


def name_tenant(ask, resolver, name):
    """Ask with a request that names a tenant in each of these ways."""
    return ask(resolver, header(name), host(name + b".example.com"), path=b"/t/" + name)


@pytest.mark.parametrize("kind", CLAIMS)
@pytest.mark.parametrize(
    "known",
    [{"acme"}, frozenset({"acme"}), ["acme"], {"acme": 1}, "acme".__eq__, is_known],
    ids=["set", "frozenset", "list", "dict", "callable", "async callable"],
)
def test_only_known_tenants_are_believed(ask, kind, known):
    """Another is nobody, which the operator may know, at INFO and without the name."""
    resolver = CLAIMS[kind](known=known)
    assert notices.notices() == ()
    assert name_tenant(ask, resolver, b"acme") == "acme"
    assert notices.notices() == ()
    assert name_tenant(ask, resolver, b"initech") is None
    assert name_tenant(ask, resolver, b"acm") is None
    assert said(logging.WARNING) == []
    (text,) = said(logging.INFO)
    assert "initech" not in text


@pytest.mark.parametrize("kind", CLAIMS)
@pytest.mark.parametrize("known", ["acme", 5, iter(["acme"])], ids=["str", "int", "iterator"])
def test_known_that_cannot_tell_is_refused(kind, known):
    """A string would take every part of it for a tenant, an iterator each only once."""
    with pytest.raises(tracium.SettingError, match="known is"):
        CLAIMS[kind](known=known)


@pytest.mark.parametrize("value", [b"ac\x00me", b"a" * 256])
@pytest.mark.parametrize("is_async", [False, True])
def test_nobody_is_asked_whether_what_cannot_be_a_tenant_is_one(ask, value, is_async):
    """It is usually a database, and one that refuses such a string would make a 500 of the client's fault."""

    def look_up(tenant):
        raise ValueError("A string literal cannot contain NUL (0x00) characters.")

    async def look_up_later(tenant):
        look_up(tenant)

    with pytest.raises(Refused, match="400"):
        ask(from_path("/t/{tenant}", known=look_up_later if is_async else look_up), path=b"/t/" + value)


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_that_anyone_can_make_is_warned_of_once(ask, kind, caplog):
    """With the cure, in the log and in what `tracium doctor` shows; and it is believed."""
    make = CLAIMS[kind]
    assert name_tenant(ask, make(), b"acme") == "acme"
    make()
    (notice,) = notices.notices()
    assert notice.level == logging.WARNING
    assert "known=" in notice.text
    assert "trusted_proxy=True" in notice.text
    assert [record.getMessage() for record in caplog.records if record.name == "tracium"] == [notice.text]
    (problem,) = tracium.report().problems
    assert problem.startswith(notice.text)


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_that_a_proxy_sets_is_not_warned_of(ask, kind):
    """The operator said so."""
    assert name_tenant(ask, CLAIMS[kind](trusted_proxy=True), b"acme") == "acme"
    assert notices.notices() == ()
    assert tracium.report().problems == ()
