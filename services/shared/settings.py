"""Settings from `scriptorium.toml` and the environment; the environment wins.

`SCRIPTORIUM_CONFIG` names the file. Nested names join with two underscores: `SCRIPTORIUM_BUS__URL`,
`SCRIPTORIUM_WRITER__SLOTS`, `SCRIPTORIUM_PROVIDERS__LOCAL__BASE_URL`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from services.shared.fetching.addresses import networks

CONFIG_VARIABLE = "SCRIPTORIUM_CONFIG"
FOLDER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BusSettings(_Part):
    """How to reach NATS. Every service has a user of its own, named like the service."""

    url: str = "nats://127.0.0.1:4222"
    user: str | None = None
    """None: the service's own name, when there is a password."""
    password: SecretStr | None = None


class GatewaySettings(_Part):
    """The HTTP edge."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    public_url: str | None = None
    """What links begin with, behind a proxy; None: what the request says."""
    hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")], ...] = ()
    """Names, without ports, that it answers to besides those of this machine (`localhost`, any address) and `public_url`'s."""
    demo: bool = False
    """Control rooms may turn the simulator's dials, and kill, freeze and restart what `scriptorium up` runs."""


class WriterSettings(_Part):
    """One writer process."""

    slots: Annotated[int, Field(ge=1, le=1_000)] = 16


class FetchSettings(_Part):
    """Sources from the web."""

    allowed_networks: tuple[str, ...] = ()
    """Networks that may be asked beside the public internet, such as `10.1.0.0/16` for an intranet; for all documents."""

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        networks(value)
        return value


class WatcherSettings(_Part):
    """What the watcher may look at."""

    folders: dict[str, Path] = {}
    """By the name that a document asks for them with: nobody outside names a path on this machine."""
    scan_ms: Annotated[int, Field(ge=50, le=60_000)] = 500
    """How often a folder is looked at."""
    fetch_ms: Annotated[int, Field(ge=50, le=86_400_000)] = 60_000
    """How often an address is asked whether it has something new."""

    @field_validator("folders")
    @classmethod
    def _have_names(cls, value: dict[str, Path]) -> dict[str, Path]:
        for name in value:
            if not FOLDER_NAME.fullmatch(name):
                msg = f"{name!r} is no name for a folder: letters, digits, and ._- between them, up to 64"
                raise ValueError(msg)
        return value


class SimulatorSettings(_Part):
    """The model that needs no key."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8790
    seed: int = 1
    dials: dict[str, dict[str, float | int | str | bool]] = {}
    """By model name; `default` is for all."""


class ProviderSettings(_Part):
    """A place that answers model calls."""

    protocol: Literal["openai", "anthropic"] = "openai"
    base_url: str
    api_key_env: str | None = None
    """The environment variable that holds its key."""
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    """Calls at a time, in one writer process."""
    send_ids: bool = False
    """Send `X-Scriptorium-Document`, `-Cell`, `-Attempt`, `-Call` and `-Deadline-Ms` (what is left) headers: only to what is yours."""


class PriceSettings(_Part):
    """US dollars per million tokens."""

    input: Annotated[float, Field(ge=0)] = 0.0
    output: Annotated[float, Field(ge=0)] = 0.0


class ModelSettings(_Part):
    """`provider/model` names for each purpose, in fallback order."""

    write: tuple[str, ...] = ()
    table: tuple[str, ...] = ()
    """For the cells of tables; empty: as `write`."""
    plan: tuple[str, ...] = ()
    """Empty: as `write`."""

    @property
    def chains(self) -> dict[str, tuple[str, ...]]:
        """By purpose."""
        return {"write": self.write, "table": self.table, "plan": self.plan}

    @property
    def all(self) -> frozenset[str]:
        """Every model of every chain."""
        return frozenset(model for chain in self.chains.values() for model in chain)


class LimitSettings(_Part):
    """How long a model may take before it counts as failed. Content counts, pings do not."""

    connect_ms: Annotated[int, Field(ge=1)] = 5_000
    first_token_ms: Annotated[int, Field(ge=1)] = 60_000
    between_tokens_ms: Annotated[int, Field(ge=1)] = 20_000
    tries_max: Annotated[int, Field(ge=1, le=20)] = 6
    """Enough, with its waits, to outlast the restart of a provider on this machine."""
    cell_s: Annotated[int, Field(ge=1)] = 900
    """Seconds that a cell may take from the moment a writer has it, all of its tries together. Its ink is kept as long."""
    tokens_out_max: Annotated[int, Field(ge=16)] = 2_000
    plan_tokens_out_max: Annotated[int, Field(ge=16)] = 4_000
    passages_max: Annotated[int, Field(ge=1, le=200)] = 12
    """Passages that one prompt quotes."""


class HealthSettings(_Part):
    """How models are treated that are slow, refuse or fail; docs/models.md says what each does."""

    concurrent_first: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Calls of one model at a time, in one process, before anything is known of it."""
    concurrent_max: Annotated[int, Field(ge=1, le=10_000)] = 200
    retry_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Repeated calls, as a share of ordinary ones; a few, and one a second, are always allowed."""
    hedge_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Second calls beside one that is late to speak, as a share of ordinary ones; 0: never."""
    open_ms: Annotated[int, Field(ge=1)] = 1_000
    """How long a model that fails is left alone at first; it doubles."""
    open_ms_max: Annotated[int, Field(ge=1)] = 30_000


class HistorySettings(_Part):
    """How much of a document's past can be read again; docs/history.md says what becomes of the rest."""

    days: Annotated[float, Field(ge=0, le=100_000)] = 180
    """Facts that are younger stay."""
    edits: Annotated[int, Field(ge=1)] = 500
    """So many of the newest edits stay, each with the text that it found and the one that it made."""
    facts: Annotated[int, Field(ge=1)] = 10_000
    """A document with fewer facts, altogether, keeps all of them."""


class Settings(BaseSettings):
    """All of it; each service reads what concerns it."""

    model_config = SettingsConfigDict(env_prefix="SCRIPTORIUM_", env_nested_delimiter="__", extra="forbid", frozen=True)

    bus: BusSettings = BusSettings()
    gateway: GatewaySettings = GatewaySettings()
    writer: WriterSettings = WriterSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    fetch: FetchSettings = FetchSettings()
    watcher: WatcherSettings = WatcherSettings()
    providers: dict[str, ProviderSettings] = {}
    models: ModelSettings = ModelSettings()
    prices: dict[str, PriceSettings] = {}
    limits: LimitSettings = LimitSettings()
    health: HealthSettings = HealthSettings()
    history: HistorySettings = HistorySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic-settings' signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What was passed, then the environment, then the file."""
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        file = os.environ.get(CONFIG_VARIABLE)
        if file:
            sources = (*sources, TomlConfigSettingsSource(settings_cls, toml_file=Path(file)))
        return sources

    def resolved(self) -> Settings:
        """With nothing configured, the simulator service is the provider and its models are the chain."""
        providers = dict(self.providers)
        simulator = f"http://{self.simulator.host}:{self.simulator.port}/v1"
        providers.setdefault("simulator", ProviderSettings(base_url=simulator, send_ids=True))
        chain = ("simulator/scribe", "simulator/scribe-large")
        write = self.models.write or chain
        models = ModelSettings(write=write, table=self.models.table or write, plan=self.models.plan or write)
        return self.model_copy(update={"providers": providers, "models": models})
