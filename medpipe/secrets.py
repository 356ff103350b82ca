"""Takes secrets out of text before it reaches a log, a row, a dead letter or a printed config.

Three nets, since none catches all: the shapes of secrets (user names in URLs, signatures, keys,
bearer tokens, cookies), names that stand before them (`password=`), and the very values that this
process was given (secret variables of its environment, and what `remember` was told).
"""

import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

MASK = "***"

_MIN_LENGTH = 6  # shorter values are no secrets, and would blank out innocent text

_SECRET_VARIABLE = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|COOKIES?|CREDENTIALS?|API_?KEY|ACCESS_KEY|"
    r"ACCESS_KEY_ID|PRIVATE_KEY|AUTH)$"
)
_PROXY_VARIABLE = re.compile(r"(?:^|_)(?:PROXY|URL|URI|DSN)$", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>\\]+@")

_QUERY_NAMES = (
    r"x-(?:amz|goog)-(?:signature|credential|security-token)|(?:l|u)?sig|signature|sign|"
    r"awsaccesskeyid|googleaccessid|key-pair-id|policy|hdnts|hdnea|key|auth|authorization|code|"
    r"session(?:_?id)?|sid|jwt|user|username|login"
)
_NAMES = (
    r"(?:[a-z0-9]+[_-]){0,4}(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|apikey|"
    r"access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|credentials?|session[_-]?id)"
)
_END_OF_VALUE = r"(?:(?!%26)[^\s&#\"'<>;,\\)\]}])+"
_HEADERS = (
    r"(?:proxy-)?authorization|(?:set-)?cookie2?|x-api-key|x-auth-token|x-goog-api-key|"
    r"x-amz-security-token|x-ray-auth(?:orization)?"
)

_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _rule(pattern: str, put: str, flags: int = re.IGNORECASE) -> _Rule:
    return re.compile(pattern, flags), put


_RULES: tuple[_Rule, ...] = (
    _rule(
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
        "-----BEGIN PRIVATE KEY----- " + MASK,
        re.DOTALL,
    ),
    (_USERINFO, MASK + "@"),
    _rule(r"(?<=%3A%2F%2F)(?:(?!%2F)[^\s/&\"'])+?%40", MASK + "%40"),
    # A header's value ends with its line, or with its quote where it stands in a printed dict.
    _rule(rf"(\b(?:{_HEADERS})[\"']\s*[:,]\s*[\"'])[^\"'\r\n]+", rf"\g<1>{MASK}"),
    _rule(rf"(\b(?:{_HEADERS})\s*:\s*)(?![\"'])[^\r\n]+", rf"\g<1>{MASK}"),
    _rule(rf"((?:[?&;]|%3F|%26)(?:{_QUERY_NAMES})(?:=|%3D)){_END_OF_VALUE}", rf"\g<1>{MASK}"),
    _rule(rf"(\b{_NAMES}[\"']?\s?(?:=|:|%3D)\s?[\"']?){_END_OF_VALUE}", rf"\g<1>{MASK}"),
    _rule(r"\b(Bearer|Basic|Digest)\s+(?=[A-Za-z0-9+/._~=-]{8})[^\s\"',;]+", rf"\g<1> {MASK}", 0),
    _rule(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?", MASK, 0),
    _rule(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", MASK, 0),
    _rule(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|hf_[A-Za-z0-9]{30,}|"
        r"sk-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35})",
        MASK,
        0,
    ),
    # A line of a Netscape cookie jar: host, subdomains, path, secure, expiry, name, value.
    _rule(
        r"((?:TRUE|FALSE)\t[^\t\n]*\t(?:TRUE|FALSE)\t\d+\t[^\t\n]*\t)[^\t\r\n]+", rf"\g<1>{MASK}", 0
    ),
)

_remembered: set[str] = set()


def mask(text: str) -> str:
    """Return the text with every secret in it replaced by `***`.

    Never raises, masks twice as once, and leaves text without secrets as it is. It errs on the
    side of masking: `token: 7` in a sentence loses its number.
    """
    for value in sorted({*_remembered, *_of_environment()}, key=len, reverse=True):
        if value in text:
            text = text.replace(value, MASK)
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return text


def remember(*values: str | None) -> None:
    """Mask these very values in this process from now on, whatever stands around them.

    Values under 6 characters are left alone; the forms that URLs give a value are covered too.
    """
    for value in values:
        for form in {value, quote(value, safe=""), quote_plus(value)} if value else ():
            if len(form) >= _MIN_LENGTH:
                _remembered.add(form)


def remember_url(url: str | None) -> None:
    """Mask the user name and password of a URL, such as a proxy's, from now on."""
    remember(*_password_of(url or ""))


def _of_environment() -> Iterator[str]:
    """The secret values among the environment's variables, as they stand now."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) and len(value) >= _MIN_LENGTH:
            yield value
        elif _PROXY_VARIABLE.search(name):
            yield from (one for one in _password_of(value) if len(one) >= _MIN_LENGTH)


def _password_of(url: str) -> Iterator[str]:
    found = _USERINFO.search(url)
    if found:
        _, _, password = found.group()[:-1].partition(":")
        yield from (one for one in (password, found.group()[:-1]) if one)
