"""The sections of the configuration file that have an effect, with their defaults and limits."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from proxy.providers import ProviderType

Tokens = Annotated[int, Field(ge=1, le=1 << 40)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
_KEY = r"^[\x21-\x7e]{1,200}$"
_NO_SLASH = r"^[\x21-\x2e\x30-\x7e]{1,200}$"  # a provider's key comes before the slash of `provider/name`
_FRAMING = ("content-length", "transfer-encoding", "connection")


def _secret(value: str) -> str:
    """Files and shells leave white space around a key."""
    value = value.strip()
    if not value.isprintable() or not value.isascii():
        raise ValueError("a key is one line of ASCII")
    return value


def _url(value: str) -> str:
    """Empty where an environment variable is not set: then the provider counts as not configured."""
    value = value.strip()
    if not value:
        return value
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable():
        raise ValueError("must be an http:// or https:// address")
    return value


Secret = Annotated[str, AfterValidator(_secret)]
Url = Annotated[str, AfterValidator(_url)]


class Section(BaseModel):
    """Strict: a string is no number and a number no flag. Unknown keys are warned of elsewhere."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Server(Section):
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65_535)
    token: Secret = Field(default="", repr=False)
    client_keys: list[Secret] = Field(default=[], repr=False)
    allowed_hosts: list[str] = []
    allowed_origins: list[str] = []
    max_body_bytes: int = Field(default=20_971_520, ge=1_024, le=1 << 31)
    data_dir: str | None = None
    docs: bool = False
    connect_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 600.0


class RateLimit(Section):
    """Completions of the last 60 seconds are counted; refusing or delaying them comes later, with a warning until
    then."""

    mode: Literal["observe", "enforce", "wait"] = "observe"
    max_rpm: int = Field(default=40, ge=0, le=1_000_000)


class RecordingSection(Section):
    contents: bool = True
    durability: Literal["process", "power"] = "process"
    commit: Literal["before_client", "before_upstream"] = "before_client"


class Sanitizer(Section):
    """Output of tools: the switch, and how commands' output is shortened."""

    enabled: bool = True
    threshold_tokens: Tokens = 2_000
    keep_tokens: Tokens = 1_200
    preview_length: int = Field(default=200, ge=1, le=10_000)
    trigger_tags: list[str] = []

    @model_validator(mode="after")
    def _shorter(self) -> "Sanitizer":
        if self.keep_tokens > self.threshold_tokens:
            raise ValueError("keep_tokens must not be more than threshold_tokens")
        return self


class Reduction(Section):
    """Which stages there are, and when old outputs are masked."""

    enabled: bool = True
    normalize: bool = True
    deduplicate: bool = True
    mask_old: bool = True
    keep_recent: int = Field(default=8, ge=0, le=10_000)
    mask_min_tokens: int = Field(default=120, ge=1, le=1_000_000)
    mask_min_saved: int = Field(default=2_000, ge=0, le=100_000_000)
    idle_seconds: int = Field(default=300, ge=1, le=86_400)


class PriceEntry(Section):
    input: float | None = Field(default=None, ge=0)
    output: float | None = Field(default=None, ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)


class ModelEntry(Section):
    provider: str
    model: str = ""
    max_context_size: Tokens = 262_144
    max_output_tokens: Tokens | None = None
    capabilities: list[str] = []
    price: PriceEntry | None = None


class ProviderEntry(Section):
    type: ProviderType = "openai"
    base_url: Url | None = None
    api_key: Secret = Field(default="", repr=False)
    headers: dict[str, str] = Field(default={}, repr=False)
    include_usage: bool = True
    allow_any_model: bool = False
    cached_price_ratio: float = Field(default=0.1, ge=0, le=1)
    connect_timeout_s: Seconds | None = None
    read_timeout_s: Seconds | None = None
    name: str = ""
    icon: str = ""
    color: str = Field(default="", pattern=r"^(#[0-9a-fA-F]{6})?$")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"{name!r} is no header name")
            if name.lower() in _FRAMING:
                raise ValueError(f"{name} is set by the HTTP client")
            if not value.isprintable():
                raise ValueError(f"the value of {name} cannot be sent")
        return headers


class FileModel(Section):
    """The whole file."""

    default_model: str | None = None
    server: Server = Server()
    rate_limit: RateLimit = RateLimit()
    recording: RecordingSection = RecordingSection()
    sanitizer: Sanitizer = Sanitizer()
    reduction: Reduction = Reduction()
    providers: dict[Annotated[str, Field(pattern=_NO_SLASH)], ProviderEntry] = {}
    models: dict[Annotated[str, Field(pattern=_KEY)], ModelEntry] = {}
