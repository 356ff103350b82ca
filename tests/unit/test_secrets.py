import pickle

import pytest

from medpipe.config import load_config
from medpipe.errors import ConfigError, Rejected, Transient
from medpipe.secrets import mask, remember, remember_url

SECRET = "s3cr3tValue-42"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXRoYXQtc2lnbnM"

CARRIERS = {
    "user of a URL": f"cannot reach http://bob:{SECRET}@example.org/a.mp4 now",
    "password with an at sign": f"http://bob:x@{SECRET}@example.org/",
    "token as user": f"https://{SECRET}@example.org/",
    "user of a redis URL": f"redis://:{SECRET}@127.0.0.1:6379",
    "user of a proxy": f"socks5h://bob:{SECRET}@proxy:1080",
    "URL inside a query": f"https://a.org/?u=https%3A%2F%2Fbob%3A{SECRET}%40b.org%2Fv",
    "AWS signature": f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}&X-Amz-Date=1",
    "AWS session": f"https://b.s3.amazonaws.com/k?X-Amz-Security-Token={SECRET}",
    "AWS credential": f"https://b/k?a=1&X-Amz-Credential={SECRET}%2F20260101%2Fs3",
    "old AWS signature": f"https://b/k?AWSAccessKeyId={SECRET}&Signature={SECRET}",
    "Azure signature": f"https://b/k?sv=1&sig={SECRET}",
    "Google signature": f"https://b/k?X-Goog-Signature={SECRET}",
    "CloudFront": f"https://b/k?Policy={SECRET}&Key-Pair-Id={SECRET}",
    "encoded query": f"https://a/?next=%2Fk%3Fsig%3D{SECRET}%26a%3D1",
    "access token": f"https://a/k?access_token={SECRET}",
    "API key": f"https://a/k?api_key={SECRET}&key={SECRET}",
    "fragment": f"https://a/k#access_token={SECRET}",
    "bearer header": f"Authorization: Bearer {SECRET}",
    "headers as a dict": f"{{'Authorization': 'Bearer {SECRET}', 'Accept': '*/*'}}",
    "headers as pairs": f"[('cookie', 'SID={SECRET}; a=b'), ('accept', 'x')]",
    "cookie header": f"Cookie: SID={SECRET}; HSID={SECRET}",
    "cookie set": f"set-cookie: SID={SECRET}; Path=/; Secure",
    "bearer in a sentence": f"the server refused Bearer {SECRET}",
    "cookie jar": f".youtube.com\tTRUE\t/\tTRUE\t1893456000\tSID\t{SECRET}",
    "assignment": f"RAY_AUTH_TOKEN={SECRET} medpipe run",
    "AWS secret key": f"aws_secret_access_key = {SECRET}",
    "JSON": f'{{"password": "{SECRET}", "a": 1}}',
    "YAML": f"proxy_password: {SECRET}",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{SECRET}\n-----END RSA PRIVATE KEY-----",
    "cut private key": f"-----BEGIN PRIVATE KEY-----\nMIIE{SECRET}",
}


@pytest.mark.parametrize("text", CARRIERS.values(), ids=CARRIERS.keys())
def test_a_secret_is_taken_out_of_what_carries_it(text: str) -> None:
    masked = mask(text)

    assert SECRET not in masked
    assert "***" in masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "secret",
    ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", JWT, "hf_" + "a1B2" * 9, "ghp_" + "a1B2" * 9],
)
def test_keys_are_known_by_their_shape_alone(secret: str) -> None:
    assert mask(f"request with {secret} failed") == "request with *** failed"


@pytest.mark.parametrize(
    "text",
    [
        "not_found: HTTP Error 404: Not Found",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL12&t=3s",
        "file:" + "a" * 64 + " again in 30 s",
        "https://youtube.com:443/@radiology/videos",
        "mail me at someone@example.org",
        "12 tokens were heard, 3 keys were put",
        "s3://bucket/datasets/lectures-v3/_items/yt-abc/1.json",
        "",
    ],
)
def test_innocent_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


def test_the_rest_of_a_url_can_still_be_read() -> None:
    url = f"https://b.s3.amazonaws.com/a/k.mp4?X-Amz-Date=1&X-Amz-Signature={SECRET}&part=2"

    assert mask(url) == (
        "https://b.s3.amazonaws.com/a/k.mp4?X-Amz-Date=1&X-Amz-Signature=***&part=2"
    )
    assert mask(f"http://bob:{SECRET}@a.org/x?y=1") == "http://***@a.org/x?y=1"


def test_secret_variables_of_the_environment_are_masked_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPx")
    monkeypatch.setenv("HTTPS_PROXY", "http://eve:hidden-word@proxy:3128")

    masked = mask("wJalrXUtnFEMI/K7MDENG+bPx and hidden-word were sent")

    assert masked == "*** and *** were sent"


def test_short_variables_do_not_blank_out_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "a")

    assert mask("a cat") == "a cat"


def test_what_was_remembered_is_masked_also_in_the_forms_of_a_url() -> None:
    remember("päss wörd/1", None, "x")
    remember_url("http://carol:another+one@proxy:3128")

    masked = mask("päss wörd/1 p%C3%A4ss%20w%C3%B6rd%2F1 p%C3%A4ss+w%C3%B6rd%2F1 another+one x")

    assert masked == "*** *** *** *** x"


def test_masking_long_hostile_text_ends() -> None:
    pieces = ["://", "a" * 9, "=", "token", "Bearer ", "%3A%2F%2F", "&sig=", "cookie:", "\t1\t"]
    for piece in pieces:
        text = piece * (2**18 // len(piece))
        assert mask(mask(text)) == mask(text)


def test_what_goes_wrong_is_told_without_secrets() -> None:
    url = f"http://bob:{SECRET}@example.org/a?sig={SECRET}"

    for error in (
        Rejected("not_found", f"nothing at {url}"),
        Transient("unreachable", f"no way to {url}"),
        ConfigError(f"no source at {url}"),
    ):
        for told in (error, pickle.loads(pickle.dumps(error))):
            assert SECRET not in f"{told} {told!r} {told.args}"
            assert "http://***@example.org/a?sig=***" in str(told)


@pytest.mark.parametrize("name", ["MEDPIPE_FETCH__PROXY", "MEDPIPE_FETCH__MAX_BYTES"])
def test_a_setting_that_is_wrong_does_not_show_its_value(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ={name: f"[http://bob:{SECRET}@proxy"})

    assert SECRET not in str(caught.value)


def test_a_printed_configuration_shows_no_password() -> None:
    config = load_config(environ={"MEDPIPE_FETCH__PROXY": f"http://bob:{SECRET}@proxy:3128"})

    assert config.fetch.proxy is not None
    assert SECRET in config.fetch.proxy.get_secret_value()
    for shown in (str(config), repr(config), config.model_dump_json(), str(config.model_dump())):
        assert SECRET not in shown
