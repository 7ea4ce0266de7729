"""Secrets and personal data are found by their forms, by the names beside them and by their check digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracium import redact_text
from tracium.signals.genai.redaction import is_secret_field, redaction_of

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("use sk-proj-abcdefGHIJ0123456789 now", "use [redacted:key] now"),
        ("sk-ant-api03-abcdefghijklmnop", "[redacted:key]"),
        ("AKIAIOSFODNN7EXAMPLE and AIzaSyA1234567890abcdefghijklmnopqrstu", "[redacted:key] and [redacted:key]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted:key]"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnop", "[redacted:key]"),
        ("(xoxb-123456789012-abcdefABCDEF)", "([redacted:key])"),
        ("sk_live_abcdefghij0123456789", "[redacted:key]"),
        ("hf_abcdefghijklmnopqrstuvwx gsk_abcdefghijklmnopqrstuvwx", "[redacted:key] [redacted:key]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSM", "[redacted:jwt]"),
        (f"before {PEM} after", "before [redacted:private-key] after"),
        (f"cut off: {PEM[:50]}", "cut off: [redacted:private-key]"),
        ("Authorization: Bearer abcdef123456789012345", "Authorization: Bearer [redacted:token]"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic [redacted:secret]"),
        ("postgres://bob:hunter2@db.internal/app", "postgres://[redacted:credentials]@db.internal/app"),
        ("ftp://bob:p@ss@host", "ftp://[redacted:credentials]@host"),
        ("password=hunter2 next", "password=[redacted:secret] next"),
        ('DB_PASSWORD: "correct \\"horse\\" battery" next', 'DB_PASSWORD: "[redacted:secret]" next'),
        ("api-key => 'a b c' next", "api-key => '[redacted:secret]' next"),
        ('{\\"client_secret\\": \\"a b\\", broken', '{\\"client_secret\\": \\"[redacted:secret]\\", broken'),
        ("clientSecret = a\\b&c;d next", "clientSecret = [redacted:secret] next"),
        ("Write to bob.o'neil+x@mail.example.co.uk.", "Write to [redacted:email]."),
        ("?to=bob%40example.com&x", "?to=[redacted:email]&x"),
        ("jürgen@bücher.example", "[redacted:email]"),
        ("4111 1111 1111 1111", "[redacted:card]"),
        ("5500-0055-5555-5559.", "[redacted:card]."),
        ("no. 12 378282246310005 99", "no. 12 [redacted:card] 99"),
        ("to DE89 3704 0044 0532 0130 00 AND THEN", "to [redacted:iban] AND THEN"),
        ("GB82WEST12345698765432", "[redacted:iban]"),
    ],
)
def test_what_is_found(text, kept):
    """And nothing around it is touched; a second time changes nothing more."""
    assert redact_text(text) == kept
    assert redact_text(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user",
        "max_tokens: 512, input tokens=3, tokens: 7",
        "The secretary: Bob. The password is wrong.",
        "a task-management-system for the risk-assessment-team",
        "order 1234567890123456, at 1700000000000",
        "[0.4111111111111111, 0.5500005555555559]",
        "call us: 555 0100; see https://example.com/a?b=c#d",
        "@decorator and user @ host",
        "bearer of bad news",
        "DE12 is a road, GB82WEST12345698765433 is no account",
    ],
)
def test_what_is_left_alone(text):
    """What only looks like a secret, or sounds like its name."""
    assert redact_text(text) == text


SECRETS = st.one_of(
    st.text(LETTERS, min_size=20, max_size=40).map("sk-".__add__),
    st.text(LETTERS, min_size=24, max_size=40).map("ghp_".__add__),
    st.text("ABCDEFGHIJ0123456789", min_size=16, max_size=16).map("AKIA".__add__),
    st.tuples(st.text(LETTERS, min_size=3, max_size=10), st.text(LETTERS, min_size=3, max_size=10)).map(
        lambda parts: f"{parts[0]}@{parts[1]}.example"
    ),
    st.sampled_from(["4111 1111 1111 1111", "5500-0055-5555-5559", "378282246310005", "DE89370400440532013000"]),
    st.just(PEM),
)


@given(st.text(), SECRETS, st.text())
def test_a_secret_is_found_in_any_text(before, secret, after):
    """Whatever stands around it, as long as it stands by itself."""
    assert secret not in redact_text(f"{before} {secret} {after}")


@given(
    st.sampled_from(["password", "API_KEY", "db-passwd", "access_token"]), st.sampled_from([":", "=", " = "]), st.text()
)
def test_the_value_of_a_named_secret_goes_up_to_its_end(name, sign, around):
    """In quotes with spaces in it, and bare up to the next space."""
    redacted = redact_text(f'{around} {name}{sign}zq1-a\'b {name}{sign}"zq2 zq3" {around}')
    assert not any(part in redacted for part in ("zq1", "zq2", "zq3"))


HOSTILE = {
    "a prefix again and again": "sk-",
    "the start of a token": "-eyJ",
    "tokens without an end": "eyJaaaaa.",
    "at signs": "a@",
    "labels": "a@b.b.",
    "names": "password=",
    "open quotes": 'password="',
    "backslashes": "password \\\\\\",
    "keys without an end": "-----BEGIN PRIVATE KEY-----",
    "single digits": "4 ",
    "numbers that fail their check": "4111111111111112 ",
    "groups of an account": "AA00 ",
    "addresses": "://a:b",
    "bearers": "bearer a-",
    "dots": "SG.",
    "words": "token ",
    "escapes": "a%40",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("repeated", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_in_proportion_to_the_text(repeated):
    """A pattern that tries everything again at each place would need minutes for a million characters, or never end."""
    size = 1_000_000 if repeated not in {"AA00 ", "-eyJ"} else 200_000
    redact_text(repeated * (size // len(repeated)))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("start", ["a@", "secret", "secret: ", "4", "://", "-----BEGIN ", "eyJ", 'password: "'])
@pytest.mark.parametrize("repeated", [" ", "a", "\\", "b.", "1", "A ", "-"])
def test_a_long_run_after_a_start_is_no_trap(start, repeated):
    """As above, for what a pattern may have to give back."""
    redact_text(start + repeated * (200_000 // len(repeated)))


def test_fields_that_are_secrets_by_their_name():
    """However they are written, and not those that only sound alike."""
    secret = (
        "password",
        "DB_PASSWORD",
        "apiKey",
        "x-api-key",
        "client_secret",
        "aws.secret.access.key",
        "token",
        "cvv",
    )
    plain = ("tokens", "max_tokens", "secretary", "keyword", "role", "content", "monkey", "token_count")
    assert [name for name in secret if not is_secret_field(name)] == []
    assert [name for name in plain if is_secret_field(name)] == []


def test_the_option():
    """True and nothing are the patterns, False is none, a function is itself, all else is refused."""
    assert redaction_of(None) is redaction_of(True) is redact_text
    assert redaction_of(False) is None
    assert redaction_of(str.upper) is str.upper
    with pytest.raises(TypeError, match=r"redact is 'yes', but it must be True .*, False .*, or a function"):
        redaction_of("yes")
