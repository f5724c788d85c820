"""Every setting, in one place: the only reader of the environment. `LTX23_NAME` sets `name`; the command line wins."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from enhancer.sglang import resolve_base_url

PREFIX = "LTX23_"
DEVICE = re.compile(r"cpu|cuda:\d+")
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names its variable."""


class Settings(BaseSettings):
    """Defaults are those of a laptop: the tiny model, on loopback, without keys."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    """Address to listen on. Without a key only loopback is used, whatever stands here, unless `allow_no_key`."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0 takes a free port and prints it."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys that clients may use, separated by commas."""

    api_keys_file: Path | None = None
    """A file with one key a line, used beside `api_keys`."""

    allow_no_key: bool = False
    """Listen on `host` even though no key is configured: anyone who reaches the port can render."""

    checkpoint: Path | None = None
    """The LTX-2.3 one-file checkpoint, a diffusers folder, or the name of a set in `weights_dir`, which then fills what
    is None of the other files. None: the tiny model. Names become paths in `weight_names`, here and in what follows."""

    upscaler: Path | None = None
    """The x2 latent upsampler's file or folder, needed for two stages where the checkpoint brings none."""

    text_encoder: Path | None = None
    """Gemma 3 12B: its Hugging Face folder with the tokenizer, one file, or a name. A diffusers folder may bring its
    own."""

    text_encoder_quantization: Literal["none", "8bit", "4bit"] = "none"
    """What the text encoder's weights become while they load. A folder that is quantised already needs no setting."""

    video_vae: Path | None = None
    """The video VAE's file, where the checkpoint is the transformer alone. So with the next two."""

    audio_vae: Path | None = None
    """The file of the audio VAE and its vocoder."""

    text_projection: Path | None = None
    """The text projection's file."""

    device: str = "auto"
    """`auto` (the first GPU, else the CPU), `cpu`, `cuda` or `cuda:N`."""

    devices: Annotated[tuple[str, ...], NoDecode] = ()
    """Several of them, separated by commas, with a worker each behind the one queue; `all`: every GPU. Empty: `device`
    alone."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 on a GPU and float32 on a CPU."""

    fp8: Literal["auto", "scaled", "dequantize"] = "auto"
    """`scaled`: FP8 weights and FP8 arithmetic; `dequantize`: neither; `auto`: scaled on a card that multiplies FP8."""

    memory: Literal["auto", "resident", "balanced", "low"] = "auto"
    """What stays on the device: everything; all but the text encoder; neither that nor the transformer. The rest comes
    from host memory, block by block as it runs. `auto`: the first at which the default clip fits."""

    vram: Annotated[float, Field(gt=0)] | None = None
    """Gigabytes of the device's memory that may be used. None: what is free when the worker starts."""

    enhancer: Literal["off", "external", "managed"] | None = None
    """Who rewrites prompts that ask for it: nobody, the SGLang at `sglang_url`, or one that this server starts and
    ends. None: the one at `sglang_url`, where that is given."""

    sglang_url: str | None = None
    """Where SGLang listens, such as http://127.0.0.1:30000; any OpenAI-compatible server will do."""

    sglang_model: str = "meta-llama/Llama-3.2-3B-Instruct"
    """The model that it serves, by the name it serves it under."""

    sglang_api_key: SecretStr | None = None
    """Sent to it as a bearer token."""

    sglang_python: Path | None = None
    """For a managed SGLang: the Python that has it. None: what `ltx23 enhancer install` has made."""

    sglang_args: str = ""
    """For a managed SGLang: further arguments of its `sglang.launch_server`, as in a shell."""

    captioner: str = "florence-community/Florence-2-large"
    """Florence-2, which looks at the first image for the enhancer: a folder or an id on the hub. `off`: nobody does."""

    captioner_device: str = "auto"
    """As `device`."""

    enhance_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """A rewrite that takes longer is given up, and the prompt used as it came."""

    enhancer_required: bool = False
    """Answer 503 where a prompt could not be enhanced, rather than make the clip from the original."""

    stages: Annotated[int, Field(ge=1, le=2)] = 2
    """2: half size, x2 upsampler, 3 refinement steps. 1: the 8 steps at full size, no upsampler."""

    queue_size: Annotated[int, Field(ge=0)] = 8
    """Requests that may wait behind the running one; one more is answered 429."""

    key_queue_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The part of the queue that the requests of one key may take, where there are several keys; at least one place."""

    key_jobs: Annotated[int, Field(gt=0)] | None = None
    """Requests of one key that may wait or run; one more is answered 429. None: no limit of its own."""

    deadline_s: Annotated[float, Field(gt=0)] = 600.0
    """A render that takes longer is stopped and answered 504."""

    grace_s: Annotated[float, Field(gt=0)] = 10.0
    """How long a cancelled render may take to stop before its worker is killed."""

    heartbeat_s: Annotated[float, Field(ge=10)] = 60.0
    """A worker that gives no sign of life for so long is killed and replaced. One is due every two seconds."""

    drain_s: Annotated[float, Field(ge=0)] = 60.0
    """How long the renders that run may take to end once the server is told to stop."""

    max_body_bytes: Annotated[int, Field(gt=0)] = 128 * 2**20
    """A larger request body is answered 413."""

    cache_dir: Path = Path("~/.cache/ltx23")
    """Where the tiny model is written."""

    weights_dir: Path = Path("~/.cache/ltx23/weights")
    """Where `ltx23 weights` puts what it fetches, and names are looked for."""

    temp_dir: Path | None = None
    """Where clips and images live while their request does. None: the system's temporary folder."""

    data_dir: Path = Path("~/.local/share/ltx23")
    """Where the videos of POST /v1/videos are kept, and the requests that wait. One server alone may use it."""

    result_ttl_s: Annotated[float, Field(gt=0)] = 86_400.0
    """How long a finished video is kept."""

    max_result_bytes: Annotated[int, Field(ge=0)] = 20 * 10**9
    """What finished videos may take; the oldest go first, the newest stays."""

    open_metrics: bool = False
    """Answer `GET /metrics` without a key even though keys are configured."""

    otel_endpoint: str | None = None
    """Where traces go: an OTLP/HTTP collector's address, such as http://127.0.0.1:4318. Needs the extra `otel`."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    log_format: Literal["text", "json"] = "text"
    """`json`: one object a line."""

    log_prompts: bool = False
    """Prompts stand in the log, beside what is known of their requests."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value

    @field_validator("*")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        return value.expanduser() if isinstance(value, Path) else value

    @field_validator("devices", mode="before")
    @classmethod
    def _split_devices(cls, value: Any) -> Any:
        names = value.split(",") if isinstance(value, str) else value
        names = [name.strip() for name in names if name.strip()]
        return tuple("cuda:0" if name == "cuda" else name for name in names)

    @field_validator("devices")
    @classmethod
    def _are_devices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not DEVICE.fullmatch(name) and value != ("all",):
                raise ValueError(f"{name!r} is none: write cuda:0,cuda:1 or cpu, or all for every GPU")
            if name != "cpu" and value.count(name) > 1:
                raise ValueError(f"{name} is named twice: one GPU has one worker")
        return value

    @field_validator("sglang_url", "otel_endpoint")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            resolve_base_url(value)
        return value

    @field_validator("sglang_args")
    @classmethod
    def _can_be_split(cls, value: str) -> str:
        shlex.split(value)
        return value

    @model_validator(mode="after")
    def _enhancer_has_a_url(self) -> "Settings":
        if self.enhancer == "external" and self.sglang_url is None:
            raise ValueError("enhancer external needs LTX23_SGLANG_URL / --sglang-url, the address of SGLang")
        return self

    @model_validator(mode="after")
    def _devices_are_named_once(self) -> "Settings":
        if self.devices and self.device != "auto":
            raise ValueError("LTX23_DEVICE / --device and LTX23_DEVICES / --devices say the same: give one of them")
        return self

    @property
    def rewriter_url(self) -> str | None:
        """Of a language model that runs already; None where there is none."""
        return self.sglang_url if self.enhancer in (None, "external") else None

    @property
    def has_key(self) -> bool:
        return bool(self.api_keys) or self.api_keys_file is not None

    @property
    def bind_host(self) -> str:
        """Where the server really listens."""
        exposed = self.has_key or self.allow_no_key or self.host in LOOPBACK_HOSTS
        return self.host if exposed else "127.0.0.1"


def load_settings(**overrides: Any) -> Settings:
    """From the environment, then `overrides` where they are not None. Raises SettingsError."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_context=False, include_url=False)[0]
        # An error of several settings together has no place; its message names them.
        name, message = str(first["loc"][0]) if first["loc"] else "", first["msg"].removeprefix("Value error, ")
        raise (setting_error(name, message) if name else SettingsError(message)) from exc


def setting_error(name: str, message: str) -> SettingsError:
    return SettingsError(f"{PREFIX}{name.upper()} / --{name.replace('_', '-')}: {message}")
