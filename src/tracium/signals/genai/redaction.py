"""Secrets and personal data out of text, before it is recorded.

The patterns know secrets by the forms that their issuers give them, or by the name beside them; a secret without either
is not found. Each takes time in proportion to the text: quantifiers are possessive or bounded, and what a pattern begins
with cannot repeat inside what it consumes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracium.signals.genai.checkdigits import cards_out, ibans_out

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET: Final = "[redacted:secret]"  # noqa: S105 - what stands in a secret's place
_SHORTEST: Final = 5

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    # A key whose end is missing goes to the end of the text.
    r".*?(?:-----END[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_JWT: Final = re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{5,4096}+\.[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){0,3}")
_ISSUED_MARKS: Final = (
    *("sk-", "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "ya29.", "GOCSPX-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *("github_pat_", "glpat-", "xox", "xapp-", "hooks.slack.com", "_live_", "_test_", "whsec_", "hf_", "gsk_", "xai-"),
    *("pplx-", "r8_", "tvly-", "npm_", "pypi-", "SG.", "dop_v1_", "dapi", "lsv2_", "AGE-SECRET-KEY-"),
)
_ISSUED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}+"  # OpenAI, Anthropic, DeepSeek, OpenRouter, Langfuse
    r"|A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{12,}+"  # AWS
    r"|AIza[A-Za-z0-9_-]{30,}+|ya29\.[A-Za-z0-9_-]{20,}+|GOCSPX-[A-Za-z0-9_-]{20,}+"  # Google
    r"|gh[opsur]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_-]{16,}+"  # GitHub, GitLab
    r"|xox[a-z]-[A-Za-z0-9-]{10,}+|xoxe\.xox[a-z]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"  # Slack
    r"|hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{10,}+"
    r"|[prs]k_(?:live|test)_[A-Za-z0-9]{10,}+|whsec_[A-Za-z0-9+/=]{16,}+"  # Stripe
    r"|hf_[A-Za-z0-9]{20,}+|gsk_[A-Za-z0-9]{20,}+|xai-[A-Za-z0-9]{20,}+"  # Hugging Face, Groq, xAI
    r"|pplx-[A-Za-z0-9]{20,}+|r8_[A-Za-z0-9]{20,}+|tvly-[A-Za-z0-9-]{20,}+"  # Perplexity, Replicate, Tavily
    r"|npm_[A-Za-z0-9]{20,}+|pypi-[A-Za-z0-9_-]{20,}+"
    r"|SG\.[A-Za-z0-9_-]{16,64}+\.[A-Za-z0-9_-]{16,}+"  # SendGrid
    r"|dop_v1_[a-f0-9]{32,}+|dapi[a-f0-9]{32,}+"  # DigitalOcean, Databricks
    r"|lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}+|AGE-SECRET-KEY-1[A-Z0-9]{20,}+"  # LangSmith, age
    r")"
)
_IN_URL: Final = re.compile(r"(?<=://)[^\s/?#\"']{1,256}@")
_BEARER: Final = re.compile(
    r"\b(bearer[ \t]{1,8})(?=[A-Za-z._~+/=-]{0,512}+[0-9])[A-Za-z0-9._~+/=-]{16,}+", re.IGNORECASE
)
_NAMED_MARKS: Final = ("pass", "pwd", "secret", "token", "key", "authorization", "credential")
_NAME: Final = (
    r"(?:passw(?:or)?d|passphrase|passcode|pwd|secret(?:[ _-]?access)?(?:[ _-]?key)?|credential"
    r"|(?:api|access|account|private|subscription|encryption|signing|master)[ _-]?key)s?"
    # Not the plural, which counts what a model reads and writes.
    r"|token(?!s)|authorization"
)
_NAMED: Final = re.compile(
    # Group 1 stays: the name, what closes and assigns it, and what opens the value.
    rf"((?:{_NAME})(?:[_-][a-z0-9]{{1,20}}){{0,2}}[\"'\\]{{0,8}}\s{{0,4}}(?:=>|:=|[:=])\s{{0,4}}"
    r"(?:(?:bearer|basic|digest|token)[ \t]{1,4})?+)"
    r"(?!\[redacted:)(?:"
    r"(\")(?:[^\"\\\n]|\\.)*+"  # in quotes to the closing one,
    r"|(')(?:[^'\\\n]|\\.)*+"
    r"|(\\{1,8}\")(?:[^\"\\\n]|\\(?!\"))*+"  # in quotes inside a quoted text,
    r"|(?:[^\s\"'\\]|\\(?![\"']))(?:[^\s\\]|\\(?![\"']))*+"  # or bare, to the next space
    r")",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"(?<![\w.+'-])[\w.+'-]++(?:@|%40)(?:[\w-]++\.)+[^\W\d_]{2,}+")

# Names of fields whose value is a secret whatever it looks like; compared without case, `_`, `-`, `.` and spaces.
_SECRET_FIELDS: Final = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "secret", "secretkey", "secretaccesskey", "apikey"),
    *("accesskey", "accountkey", "privatekey", "accesstoken", "refreshtoken", "idtoken", "authtoken", "sessiontoken"),
    *("bearertoken", "apitoken", "bottoken", "securitytoken", "authorization", "credential", "credentials"),
)
_SECRET_FIELDS_ALONE: Final = frozenset({"token", "cvv", "cvc", "cookie", "setcookie"})
_PUNCTUATION: Final = str.maketrans("", "", "_-. ")


def redact_text(text: str) -> str:
    """Replace secrets and personal data in `text` by what they are, such as `[redacted:email]`.

    Known are: private keys in PEM, JSON Web Tokens, keys and tokens of many services by their prefixes (`sk-…`, `AKIA…`,
    `ghp_…`, `xoxb-…`, `AIza…` and others), credentials in URLs, bearer tokens, values that are assigned to names such as
    `password` and `api_key`, e-mail addresses, payment card numbers that pass the Luhn check (ISO/IEC 7812-1) and IBANs
    that pass theirs (ISO 13616). It is what the option `redact` does unless it is given; a function of your own may
    call it and go on from there.

    Args:
        text: Any text; JSON stays valid only if its strings are passed one by one, as tracium does.

    Returns:
        The text without them.
    """
    if len(text) < _SHORTEST:
        return text
    return ibans_out(cards_out(_personal_out(_secrets_out(text))))


def _secrets_out(text: str) -> str:
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub("[redacted:private-key]", text)
    if "eyJ" in text:
        text = _JWT.sub("[redacted:jwt]", text)
    if any(mark in text for mark in _ISSUED_MARKS):
        text = _ISSUED.sub("[redacted:key]", text)
    if "://" in text:
        text = _IN_URL.sub("[redacted:credentials]@", text)
    lowered = text.lower()
    if "bearer" in lowered:
        text = _BEARER.sub(r"\1[redacted:token]", text)
    if any(mark in lowered for mark in _NAMED_MARKS):
        text = _NAMED.sub(_without_value, text)
    return text


def _without_value(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2] or found[3] or found[4] or ''}{SECRET}"


def _personal_out(text: str) -> str:
    return _EMAIL.sub("[redacted:email]", text) if "@" in text or "%40" in text else text


def is_secret_field(name: str) -> bool:
    """Whether the value of a field of this name is a secret whatever it looks like."""
    plain = name.lower().translate(_PUNCTUATION)
    return plain.endswith(_SECRET_FIELDS) or plain in _SECRET_FIELDS_ALONE


def redaction_of(value: bool | Callable[[str], str] | None) -> Callable[[str], str] | None:  # noqa: FBT001 - the option
    """What the option `redact` means: None and True are the built-in patterns, False is nothing, a function is itself.

    Raises:
        TypeError: It is none of these.
    """
    if value is None or value is True:
        return redact_text
    if value is False:
        return None
    if not callable(value):
        raise TypeError(
            f"redact is {value!r:.80}, but it must be True for the built-in patterns, False for none, or a function that takes "
            "a text and returns the text to record."
        )
    return value
