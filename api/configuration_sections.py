"""The sections of the configuration file that have an effect, with their defaults and limits."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from api.configuration_mcp import Mcp
from api.configuration_telemetry import Telemetry
from api.configuration_types import STRICT, Seconds, Secret, Tokens, Url, sendable_headers
from context.window import FIELDS, PLACEHOLDER, fields_of, placeholder
from ledgers.catalogue import BY_NAME
from proxy.providers import ProviderType
from schema.ledgers import Tool

_KEY = r"^[\x21-\x7e]{1,200}$"
_NO_SLASH = r"^[\x21-\x2e\x30-\x7e]{1,200}$"  # a provider's key comes before the slash of `provider/name`


_PATH = r"^[^\x00]{1,4096}$"


def _ledger(value: str) -> str:
    kind, _, path = value.partition(":")
    if kind not in BY_NAME or not path or "\0" in path:
        raise ValueError(f"must be KIND:PATH, with a kind of {', '.join(BY_NAME)}")
    return value


class Section(BaseModel):
    """Strict: a string is no number and a number no flag. Unknown keys are warned of elsewhere."""

    model_config = STRICT


def _named(directory: str) -> str:
    if not directory.strip():
        raise ValueError("it is empty, and would be the current directory; without the key it is the user's own")
    return directory


class Server(Section):
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65_535)
    token: Secret = Field(default="", repr=False)
    client_keys: list[Secret] = Field(default=[], repr=False)
    allowed_hosts: list[str] = []
    allowed_origins: list[str] = []
    max_body_bytes: int = Field(default=20_971_520, ge=1_024, le=1 << 31)
    data_dir: Annotated[str, AfterValidator(_named)] | None = None
    docs: bool = False
    enforce_context_limit: bool = False
    connect_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 600.0


PerMinute = Annotated[int, Field(ge=0, le=1_000_000)]


class RateLimit(Section):
    """Completions of the last 60 seconds: counted, refused or delayed; 0 for no limit."""

    mode: Literal["observe", "enforce", "wait"] = "observe"
    max_rpm: PerMinute = 40
    max_wait_ms: int = Field(default=5_000, ge=0, le=60_000)


class BudgetEntry(Section):
    """How much there is; 0 for no limit."""

    tokens: int = Field(default=0, ge=0, le=1 << 50)
    usd: float = Field(default=0, ge=0, le=1e9)
    requests: int = Field(default=0, ge=0, le=1 << 40)


class Budgets(Section):
    """Of each session for ever, of all requests of a UTC day, of each named key on a UTC day."""

    output_tokens: int = Field(default=4_096, ge=0, le=1 << 30)
    unpriced: Literal["allow", "refuse"] = "allow"
    session: BudgetEntry = BudgetEntry()
    day: BudgetEntry = BudgetEntry()
    key: BudgetEntry = BudgetEntry()


class KeyEntry(Section):
    """A client's key with a name, under which what it does is shown, and limits of its own."""

    key: Secret = Field(repr=False)
    max_rpm: PerMinute = 0
    budget: BudgetEntry | None = None


class RecordingSection(Section):
    contents: bool = True
    durability: Literal["process", "power"] = "process"
    commit: Literal["before_client", "before_upstream"] = "before_client"
    idempotency_hours: int = Field(default=24, ge=1, le=8_760)
    log_watcher: bool = False
    log_watcher_path: str = Field(default="~/.continue/logs/core.log", pattern=_PATH)


class Compression(Section):
    """`model` writes the summaries (a configured model or `provider/name`); empty: a digest that no model wrote."""

    threshold_percentage: int = Field(default=85, ge=1, le=100)
    preserve_recent_exchanges: int = Field(default=5, ge=0, le=1_000)
    summary_max_tokens: int = Field(default=500, ge=50, le=100_000)
    model: str = Field(default="", max_length=256)


class Sanitizer(Section):
    """Output of tools: the switch, and how commands' output is shortened."""

    enabled: bool = True
    threshold_tokens: Tokens = 2_000
    keep_tokens: Tokens = 1_200
    preview_length: int = Field(default=200, ge=1, le=10_000)
    trigger_tags: list[str] = []
    compression: Compression = Compression()

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


class MemoryEmbedder(Section):
    """`path` is the folder of a local model such as all-MiniLM-L6-v2; or `provider` and `model` name whose
    /embeddings is asked. All empty: memories are found by their words."""

    path: str = ""
    provider: str = ""
    model: str = ""


class MemorySection(Section):
    """`detect`: what users say for later is remembered by itself, with the message that it stands in."""

    detect: bool = False
    embedder: MemoryEmbedder = MemoryEmbedder()


class RetentionSection(Section):
    """Erasing by itself what nobody has used for long; 0 days: never."""

    erase_after_days: float = Field(default=0, ge=0, le=36_500)
    check_every_hours: float = Field(default=6, gt=0, le=8_760)


class Polling(Section):
    """Looking at ledgers now and then, in seconds; after what fails, twice as long each time."""

    enabled: bool = False
    interval_seconds: int = Field(default=60, ge=5, le=86_400)
    backoff_max_seconds: int = Field(default=600, ge=5, le=86_400)


class Cline(Section):
    """`ledgers` beside the built-in places of Cline: task histories (JSON) and session databases (SQLite)."""

    ledgers: list[Annotated[str, Field(pattern=_PATH)]] = []
    polling: Polling = Polling()


class LedgersSection(Section):
    """Ledgers of all tools: `paths` beside the built-in places, each as KIND:PATH; `poll` names the tools that are
    looked at now and then, as [cline.polling] says."""

    paths: list[Annotated[str, AfterValidator(_ledger)]] = []
    poll: list[Tool] = []


class Schema1(Section):
    """Masking by age instead of by use and price; `window_turns` are answers of the assistant."""

    enabled: bool = False
    window_turns: int = Field(default=8, ge=1, le=10_000)
    keep_errors: bool = True
    keep_last_k_per_tool: int = Field(default=0, ge=0, le=10_000)
    placeholder_template: str = Field(default=PLACEHOLDER, min_length=1, max_length=2_000)

    @field_validator("placeholder_template")
    @classmethod
    def _template(cls, value: str) -> str:
        try:
            named = fields_of(value)
            placeholder(value, "", "", "", "")
        except (ValueError, LookupError, AttributeError):
            raise ValueError(f"a template of {', '.join(FIELDS)} in braces") from None
        if not named <= set(FIELDS):
            raise ValueError(f"a template of {', '.join(FIELDS)} in braces")
        if "mask_hash" not in named:
            raise ValueError("must name {mask_hash}, or nobody could have the original back")
        return value


class ObservationMasking(Section):
    schema1: Schema1 = Schema1()


class CompactionAuto(Section):
    """`auto_compact_cooldown` in minutes, `auto_compact_threshold` a share of the window."""

    auto_compact: bool = True
    auto_compact_threshold: float = Field(default=0.85, ge=0.05, le=1)
    auto_compact_cooldown: float = Field(default=5, ge=0, le=1_440)
    max_consecutive_auto_compactions: int = Field(default=3, ge=1, le=1_000)


class CompactionUi(Section):
    show_compact_button: bool = True
    manual_button_threshold: int = Field(default=70, ge=0, le=100)
    show_detailed_tooltips: bool = True
    show_compaction_notifications: bool = True


class CompactionPreview(Section):
    preview_messages_count: int = Field(default=5, ge=0, le=5)
    preview_max_length: int = Field(default=200, ge=1, le=2_000)
    show_savings_estimate: bool = True


class Compaction(Section):
    """Leaving out the beginning of a conversation that fills its window; percentages are of the window."""

    enabled: bool = True
    threshold_percentage: int = Field(default=80, ge=1, le=100)
    critical_threshold: int = Field(default=95, ge=1, le=100)
    max_preserved_messages: int = Field(default=2, ge=0, le=200)
    target_reduction_ratio: float = Field(default=0.6, ge=0.1, le=0.95)
    min_tokens_to_compact: int = Field(default=500, ge=0, le=100_000_000)
    min_messages_to_compact: int = Field(default=6, ge=0, le=100_000)
    reserved_tokens: int = Field(default=0, ge=0, le=1 << 40)
    auto: CompactionAuto = CompactionAuto()
    ui: CompactionUi = CompactionUi()
    preview: CompactionPreview = CompactionPreview()


Usd = Annotated[float | None, Field(ge=0, le=1_000_000)]


class PriceEntry(Section):
    input: Usd = None
    output: Usd = None
    cache_read: Usd = None
    cache_write: Usd = None
    cache_write_1h: Usd = None


class PricesSection(Section):
    """`file` holds dated prices; a relative path starts from the configuration's directory."""

    file: str = Field(default="", max_length=4_096)


class ModelEntry(Section):
    provider: str
    model: str = ""
    max_context_size: Tokens = 262_144
    max_output_tokens: Tokens | None = None
    capabilities: list[str] = []
    price: PriceEntry | None = None
    fallback: list[str] = []


class RetryEntry(Section):
    """Asking a provider again before anything went to the client."""

    attempts: int = Field(default=2, ge=1, le=10)
    on: list[Annotated[int, Field(ge=400, le=599)]] = [429, 500, 502, 503, 529]
    backoff_ms: int = Field(default=500, ge=0, le=60_000)
    max_wait_ms: int = Field(default=10_000, ge=0, le=300_000)


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
    max_rpm: PerMinute = 0
    retry: RetryEntry | None = None
    name: str = ""
    icon: str = ""
    color: str = Field(default="", pattern=r"^(#[0-9a-fA-F]{6})?$")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        return sendable_headers(headers)


class FileModel(Section):
    """The whole file."""

    default_model: str | None = None
    server: Server = Server()
    rate_limit: RateLimit = RateLimit()
    keys: dict[Annotated[str, Field(pattern=_NO_SLASH)], KeyEntry] = {}
    budgets: Budgets = Budgets()
    recording: RecordingSection = RecordingSection()
    sanitizer: Sanitizer = Sanitizer()
    reduction: Reduction = Reduction()
    observation_masking: ObservationMasking = ObservationMasking()
    compaction: Compaction = Compaction()
    retention: RetentionSection = RetentionSection()
    memory: MemorySection = MemorySection()
    telemetry: Telemetry = Telemetry()
    mcp: Mcp = Mcp()
    cline: Cline = Cline()
    ledgers: LedgersSection = LedgersSection()
    prices: PricesSection = PricesSection()
    providers: dict[Annotated[str, Field(pattern=_NO_SLASH)], ProviderEntry] = {}
    models: dict[Annotated[str, Field(pattern=_KEY)], ModelEntry] = {}
