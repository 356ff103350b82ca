"""What acquiring may cost and reach."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import Field, SecretStr

from medpipe.records import Record


class FetchConfig(Record):
    """How to fetch: budgets, manners, and what the network guard lets through."""

    download_timeout_s: float = Field(
        3600, gt=0, description="Seconds one download may take in all, whatever the server does."
    )
    resolve_timeout_s: float = Field(
        90, gt=0, description="Seconds a page or playlist may stay silent before it is given up."
    )
    socket_timeout_s: float = Field(20, gt=0, description="Seconds without a byte on one socket.")
    max_bytes: int = Field(4 * 2**30, gt=0, description="Largest download, in bytes.")
    max_memory_bytes: int = Field(
        2**30,
        ge=2**28,
        description="Of the downloading process; a page bomb ends there. Deno needs all of 1 GiB.",
    )
    max_height_px: int = Field(720, gt=0, description="Wanted height; the smallest above if none.")
    max_entries: int = Field(100_000, gt=0, description="Entries taken from one playlist.")
    rate_limit_bytes_s: int | None = Field(None, gt=0, description="Bytes a second, or no limit.")
    request_pause_s: float = Field(0, ge=0, description="Seconds between requests for one item.")
    cookies_file: str | None = Field(None, description="Netscape cookie jar; only ever read.")
    proxy: SecretStr | None = Field(
        None, description="http:// or socks5:// address; None: none, also not from HTTP_PROXY."
    )
    user_agent: str | None = Field(None, description="Instead of the one that yt-dlp sends.")
    js_runtimes: tuple[str, ...] = Field(
        ("deno", "node"), description="What may run YouTube's player script, first found first."
    )
    allow_private_networks: bool | tuple[IPv4Network | IPv6Network, ...] = Field(
        False, description="True: reach any address. A list: reach these networks besides."
    )


class AcquireRules(Record):
    """What counts as a video worth the rest of the walk."""

    require_audio: bool = Field(True, description="Reject a video without sound.")
    min_duration_s: float = Field(1, ge=0, description="Shorter is rejected as `too_short`.")
    max_duration_s: float = Field(6 * 3600, gt=0, description="Longer: `too_long`.")


class AcquireConfig(AcquireRules):
    """The rules, and how to fetch."""

    fetch: FetchConfig = FetchConfig()


class Refusal(Record):
    """A source that could not be turned into items.

    Attributes:
        source: As the user wrote it, secrets masked.
        code: Reason code, such as `missing_file` or `unsupported_scheme`.
        detail: One sentence for a person.
    """

    source: str
    code: str
    detail: str
