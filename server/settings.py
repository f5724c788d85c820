"""Define every setting once. `LTX23_NAME` and the flag `--name` set `name`; the flag wins.

This is the only reader of the environment. The commands' flags, their help and docs/settings.md are generated from it.
"""

import re
import shlex
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from enhancer.sglang import resolve_base_url
from pipelines.direction import MAX_LORA_STRENGTH, MAX_LORAS
from pipelines.errors import SpecError
from pipelines.memory import ClipSize
from pipelines.spec import GenerationSpec

PREFIX = "LTX23_"
DEVICE = re.compile(r"cpu|cuda:\d+")
PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# NAME=PATH:STRENGTH; a path may contain colons and equal signs.
NAMED_LORA = re.compile(r"(?P<name>[^=/\\]{1,255}?)=(?P<path>.+?)(:(?P<strength>[+-]?(\d+\.?\d*|\.\d+)))?")
CLIP_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})x(\d{1,5})")
HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9._\[\]:-]+")
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names its variable."""


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Repeated:
    """Marks a setting whose flag may be repeated, each time with one value."""

    metavar: str


def split_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def parse_clip_size(text: str) -> ClipSize:
    """Return the size that WIDTHxHEIGHTxFRAMES names, of a clip with an image and sound. Raises ValueError."""
    match = CLIP_SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 768x512x121: width, height and number of frames")
    width, height, num_frames = map(int, match.groups())
    size = ClipSize(width, height, num_frames, is_conditioned=True)
    try:
        GenerationSpec("", 0, size.width, size.height, size.num_frames, size.frame_rate)
    except SpecError as exc:
        raise ValueError(f"{text}: {exc}") from exc
    return size


def parse_named_lora(text: str) -> tuple[str, Path, float | None]:
    """Return the name, the path and the strength in NAME=PATH:STRENGTH. Raises ValueError."""
    match = NAMED_LORA.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not NAME=PATH or NAME=PATH:STRENGTH")
    strength = None if match["strength"] is None else float(match["strength"])
    if strength is not None and abs(strength) > MAX_LORA_STRENGTH:
        raise ValueError(f"{text!r} has a strength beyond -{MAX_LORA_STRENGTH:g} .. {MAX_LORA_STRENGTH:g}")
    return match["name"].strip(), Path(match["path"].strip()).expanduser(), strength


def _validate_address(value: str) -> str:
    resolve_base_url(value)
    return value


Address = Annotated[str, AfterValidator(_validate_address)]


class SettingsGroup(BaseSettings):
    """A group of settings under one heading. The docstring below a field is its help text everywhere."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    @field_validator("*")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        return value.expanduser() if isinstance(value, Path) else value


class ListenSettings(SettingsGroup):
    """Address and keys."""

    host: str = "127.0.0.1"
    """Address to listen on. Without an API key the server listens on loopback only, unless `allow_no_key` is set."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one and prints it."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """API keys that clients may use, separated by commas. Prefer the environment: others can see a command line."""

    api_keys_file: Path | None = None
    """File with one API key a line, used in addition to `api_keys`."""

    allow_no_key: bool = False
    """Listen on `host` even without an API key: anyone who reaches the port can render."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        return split_list(value)


class BrowserSettings(SettingsGroup):
    """Proxies and browsers."""

    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses and networks of reverse proxies, separated by commas, whose X-Forwarded-For, -Proto, -Host and -Prefix
    are used. Without it these headers are ignored."""

    root_path: str = ""
    """Path under which a reverse proxy serves this server, such as /video. A trusted X-Forwarded-Prefix wins."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Host names, separated by commas, to which a server without an API key answers in addition to localhost and IP
    addresses."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of web pages that may use the server from a browser, separated by commas, such as
    https://studio.example.com; `*` allows every page."""

    link_ttl_s: Seconds = 3600.0
    """Seconds for which the links in `url` and `events_url` of a video open it without an API key."""

    @field_validator("trusted_proxies", "allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _split_lists(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _validate_trusted_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                ip_network(name)
            except ValueError as exc:
                raise ValueError(
                    f"{name!r} is not an address such as 10.0.0.1 or a network such as 10.0.0.0/8"
                ) from exc
        return value

    @field_validator("root_path")
    @classmethod
    def _validate_root_path(cls, value: str) -> str:
        value = value.rstrip("/")
        if value and not PATH_PREFIX.fullmatch(value):
            raise ValueError("write it as /video or /tools/video, with letters, digits, and . _ ~ - alone")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _validate_allowed_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not HOST_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a host name: leave out scheme, port and path")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _validate_cors_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name != "*" and not ORIGIN.fullmatch(name):
                raise ValueError(
                    f"{name!r} is not an origin such as https://studio.example.com: no path, no slash at the end"
                )
        return value


class ConnectionSettings(SettingsGroup):
    """Connections and request bodies."""

    max_body_bytes: Annotated[int, Field(gt=0)] = 128 * 2**20
    """Largest request body; a larger one is answered 413."""

    max_total_body_bytes: Annotated[int, Field(gt=0)] | None = None
    """Bytes that the bodies of all requests in progress may take together; a request above that is answered 503.
    Default: four times `max_body_bytes`."""

    max_connections: Annotated[int, Field(gt=0)] = 1000
    """Connections that may be open. One more closes the connection that has been idle longest; if none is idle, it is
    answered 503."""

    keep_alive_s: Seconds = 75.0
    """Seconds that an idle connection stays open. Keep this longer than a proxy keeps its idle connections."""

    head_timeout_s: Seconds = 20.0
    """Seconds that the head of a request may take to arrive; after that it is answered 408."""

    stall_timeout_s: Seconds = 30.0
    """Seconds that a client may neither send the body that the server waits for nor read the answer."""

    min_bytes_per_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1000.0
    """Slowest rate at which a body may arrive and an answer may be read; a slower client is disconnected."""


class WeightSettings(SettingsGroup):
    """Weights, devices and memory."""

    checkpoint: Path | None = None
    """LTX-2.3 distilled: a .safetensors file, a diffusers folder, or the name of a published set (`ltx23 weights
    list`), which also provides every part that is not given. Default: the tiny model, which is made on this machine."""

    text_encoder: Path | None = None
    """Gemma 3 12B: its Hugging Face folder with the tokenizer, a single file, or a name."""

    text_encoder_quantization: Literal["none", "8bit", "4bit"] = "none"
    """Quantise the text encoder while it loads, with bitsandbytes. Weights stored quantised need no setting."""

    upscaler: Path | None = None
    """The x2 latent upsampler: a file, a folder or a name. Two stages need it unless the checkpoint contains it."""

    video_vae: Path | None = None
    """The video VAE, for a checkpoint that holds the transformer alone: a file or a set's name."""

    audio_vae: Path | None = None
    """The audio VAE with its vocoder, for such a checkpoint."""

    preview_vae: Path | None = None
    """A small decoder that shows a render while it runs, sharper than the map that is fitted without it: taeltx2_3, a
    .safetensors file."""

    text_projection: Path | None = None
    """The text projection, for such a checkpoint."""

    weights_dir: Path = Path("~/.cache/ltx23/weights")
    """Folder in which `ltx23 weights` stores what it fetches and in which names are looked up."""

    pull: bool = False
    """Fetch what is missing of the named weights before the model is loaded; `/health` reports the progress. For
    `ltx23 serve`."""

    device: str = "auto"
    """Device to run on: `auto` (the first GPU, or the CPU if there is none), `cpu`, `cuda` or `cuda:N`."""

    devices: Annotated[tuple[str, ...], NoDecode] = ()
    """Several devices, separated by commas (cuda:0,cuda:1), or `all` for every GPU; each gets a worker behind the one
    queue. For `ltx23 serve`, in place of `device`."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of weights and activations; `auto` is bfloat16 on a GPU and float32 on a CPU."""

    fp8: Literal["auto", "scaled", "scaled-all", "dequantize"] = "auto"
    """`scaled` keeps FP8 weights and multiplies in FP8, `scaled-all` also in the blocks that the published files leave
    in BF16, `dequantize` converts FP8 weights to `dtype`. `auto`, on a card that multiplies FP8: `scaled` if `speed`
    compiles the transformer or if plain weights do not fit, else `dequantize`, which is faster."""

    fp8_fast_accum: bool = False
    """Let FP8 layers add products up in fewer bits than float32, which takes 2 % less
    of their time on an H200. The error is not measured yet."""

    memory: Literal["auto", "resident", "balanced", "low"] = "auto"
    """Weights to keep on the device: all (`resident`), all but the text encoder (`balanced`), or all but that and the
    transformer (`low`). Of the rest, what does not fit beside the clip streams from host memory. `auto` is the first
    that fits the default clip."""

    vram: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Gigabytes of device memory to use; torch allocates no more. Default: what is free when the worker starts."""

    stages: Annotated[int, Field(ge=1, le=2)] = 2
    """2 renders at half size, upsamples and refines; 1 runs all steps at full size without the upsampler."""

    encoder: Literal["auto", "x264", "nvenc"] = "auto"
    """Encoder of mp4 clips: `x264` on the CPU, or `nvenc` on the worker's NVIDIA card if that has one; H100 and H200
    have none. `auto` is `x264`, which has been measured."""

    speed: Literal["eager", "compile", "graphs"] = "eager"
    """`compile` compiles the transformer when the worker starts; `graphs`, for GPUs, also replays each step from a CUDA
    graph. A transformer whose weights are streamed runs eagerly."""

    warmup: Annotated[tuple[str, ...], NoDecode] = ()
    """Sizes such as 768x512x121, separated by commas, of which a worker renders a clip each before it is ready: the
    first clip of a size is slower than the next ones."""

    cache_dir: Path = Path("~/.cache/ltx23")
    """Folder in which the tiny model and what `speed` compiles are written."""

    @field_validator("warmup", mode="before")
    @classmethod
    def _split_warmup(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("warmup")
    @classmethod
    def _validate_warmup(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_clip_size(text)
        return value

    @field_validator("devices", mode="before")
    @classmethod
    def _split_devices(cls, value: Any) -> Any:
        names = value.split(",") if isinstance(value, str) else value
        names = [name.strip() for name in names if name.strip()]
        return tuple("cuda:0" if name == "cuda" else name for name in names)

    @field_validator("devices")
    @classmethod
    def _validate_devices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not DEVICE.fullmatch(name) and value != ("all",):
                raise ValueError(f"unknown device {name!r}: write cuda:0,cuda:1 or cpu, or all for every GPU")
            if name != "cpu" and value.count(name) > 1:
                raise ValueError(f"{name} is given twice; a GPU has one worker")
        return value

    @model_validator(mode="after")
    def _validate_device_or_devices(self) -> Self:
        if self.devices and self.device != "auto":
            raise ValueError("give either LTX23_DEVICE / --device or LTX23_DEVICES / --devices, not both")
        return self


class LoraSettings(SettingsGroup):
    """LoRAs."""

    lora: Annotated[tuple[str, ...], NoDecode, Repeated("NAME=PATH:STRENGTH")] = ()
    """A LoRA that requests may name, as NAME=PATH; with NAME=PATH:STRENGTH it changes every clip whose request does not
    say which LoRAs it wants. The flag may be repeated; in the variable commas separate several."""

    lora_dir: Path | None = None
    """Folder whose .safetensors files are LoRAs that requests may name, without the suffix. New, changed and removed
    files are seen at once."""

    @field_validator("lora", mode="before")
    @classmethod
    def _split_loras(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("lora")
    @classmethod
    def _validate_loras(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        loras = [parse_named_lora(text) for text in value]
        names = [name for name, _, _ in loras]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the name {name} is given twice")
        if sum(strength is not None for _, _, strength in loras) > MAX_LORAS:
            raise ValueError(f"at most {MAX_LORAS} can have a strength and change every clip")
        return value


class ProvenanceSettings(SettingsGroup):
    """Provenance of clips."""

    c2pa_certificate: Path | None = None
    """PEM file with the certificates of c2pa_key, its own first: each mp4 gets a signed C2PA manifest, which says that
    a model made it. Needs the extra `c2pa`."""

    c2pa_key: Path | None = None
    """PEM file with the private key that signs, without a password."""

    @model_validator(mode="after")
    def _validate_pair(self) -> Self:
        if (self.c2pa_certificate is None) != (self.c2pa_key is None):
            raise ValueError(
                "give both LTX23_C2PA_CERTIFICATE / --c2pa-certificate and LTX23_C2PA_KEY / --c2pa-key, or none"
            )
        return self


class QueueSettings(SettingsGroup):
    """Queue and deadlines."""

    queue_size: Annotated[int, Field(ge=0)] = 8
    """Requests that may wait behind the running one; one more is answered 429."""

    key_queue_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Part of the queue that one key's requests may take where there are several keys; at least one place."""

    key_jobs: Annotated[int, Field(gt=0)] | None = None
    """Requests of one key that may wait or run at once; one more is answered 429. Default: no limit of its own."""

    deadline_s: Seconds = 600.0
    """Seconds that a render may take; a longer one is stopped and answered 504."""

    grace_s: Seconds = 10.0
    """Seconds that a cancelled render may take to stop before its worker is killed."""

    heartbeat_s: Annotated[float, Field(ge=10, allow_inf_nan=False)] = 60.0
    """Seconds without a sign of life after which a worker is killed and replaced. It sends one every two seconds."""

    drain_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """Seconds that running renders may take to end once the server is told to stop."""


class StorageSettings(SettingsGroup):
    """Folders and stored videos."""

    temp_dir: Path | None = None
    """Folder for the clips and images of running requests. Default: the system's temporary folder."""

    data_dir: Path = Path("~/.local/share/ltx23")
    """Folder for the videos of POST /v1/videos and the requests that wait. One server at a time may use it."""

    result_ttl_s: Seconds = 86_400.0
    """Seconds that a finished video is kept."""

    max_result_bytes: Annotated[int, Field(ge=0)] = 20 * 10**9
    """Bytes that finished videos may take; the oldest are deleted first, the newest stays."""


class EnhancerSettings(SettingsGroup):
    """Prompt enhancement."""

    enhancer: Literal["off", "external", "managed"] | None = None
    """Rewriter of prompts that ask for it: none (`off`), the SGLang at `sglang_url` (`external`), or an SGLang that
    this server starts and stops (`managed`). Default: `external` if `sglang_url` is set."""

    enhancer_required: bool = False
    """Answer 503 if a prompt cannot be enhanced, instead of rendering the original."""

    sglang_url: Address | None = None
    """Address of SGLang, such as http://127.0.0.1:30000; any OpenAI-compatible server works."""

    sglang_model: str = "meta-llama/Llama-3.2-3B-Instruct"
    """Name under which it serves the model."""

    sglang_api_key: SecretStr | None = None
    """Bearer token sent to it. Prefer the environment: others can see a command line."""

    sglang_python: Path | None = None
    """Python interpreter that has SGLang, for `managed`. Default: the one that `ltx23 enhancer install` made."""

    sglang_args: str = ""
    """Further arguments of `sglang.launch_server`, for `managed`, as in a shell."""

    captioner: str = "florence-community/Florence-2-large"
    """Florence-2, which describes the first image to the enhancer: a folder, an id on the hub, or `off`."""

    captioner_device: str = "auto"
    """Device of the captioner: `auto`, `cpu`, `cuda` or `cuda:N`."""

    enhance_timeout_s: Seconds = 10.0
    """Seconds that a rewrite may take; after that the prompt is used unchanged."""

    @field_validator("sglang_args")
    @classmethod
    def _validate_sglang_args(cls, value: str) -> str:
        shlex.split(value)
        return value

    @model_validator(mode="after")
    def _validate_external_has_url(self) -> Self:
        if self.enhancer == "external" and self.sglang_url is None:
            raise ValueError("enhancer external needs LTX23_SGLANG_URL / --sglang-url, the address of SGLang")
        return self

    @property
    def rewriter_url(self) -> str | None:
        """Return the address of a language model that is already running, or None."""
        return self.sglang_url if self.enhancer in (None, "external") else None


class ObservabilitySettings(SettingsGroup):
    """Logs, metrics and traces."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level of the messages that are logged."""

    log_format: Literal["text", "json"] = "text"
    """Format of the log: lines for people, or one JSON object a line."""

    log_prompts: bool = False
    """Log the prompt of each request."""

    open_metrics: bool = False
    """Answer `GET /metrics` without a key even if keys are configured."""

    otel_endpoint: Address | None = None
    """Address of an OTLP/HTTP collector for traces, such as http://127.0.0.1:4318. Needs the extra `otel`."""


class RehearsalSettings(SettingsGroup):
    """Tests of clients."""

    fast: bool = False
    """Render every clip small, at about 192x128, and stretch it to its size, so that it takes a fraction of the time.
    Sizes, lengths, rates and sound stay. With the tiny model only."""

    errors: Literal["ours", "hosted"] = "ours"
    """Statuses and bodies of errors: this server's own, or the hosted platform's, which asks for keys on every path."""

    rehearsal: bool = False
    """Let requests fail as their header X-LTX-Rehearse says. Refused together with `checkpoint`."""

    rehearsal_file: Path | None = None
    """TOML file with rules that say which requests fail in a rehearsal, for clients that cannot send the header."""

    rehearsal_force: bool = False
    """Rehearse with the weights of `checkpoint` all the same."""

    requests_dir: Path | None = None
    """Folder in which every request is written when it has arrived, without its key. Not for production: requests
    contain prompts and images."""

    deterministic_time: bool = False
    """Answer with made-up times, durations, ids, random seeds and memory, which are the same in each run for the same
    sequence of requests. For tests with the tiny model and an empty `data_dir` only."""

    stop_with_stdin: bool = False
    """Stop when standard input ends, and so with the program that started the server, however that ends."""


GROUPS: tuple[type[SettingsGroup], ...] = (
    ListenSettings,
    BrowserSettings,
    ConnectionSettings,
    WeightSettings,
    LoraSettings,
    ProvenanceSettings,
    QueueSettings,
    StorageSettings,
    EnhancerSettings,
    ObservabilitySettings,
    RehearsalSettings,
)


class Settings(
    ListenSettings,
    BrowserSettings,
    ConnectionSettings,
    WeightSettings,
    LoraSettings,
    ProvenanceSettings,
    QueueSettings,
    StorageSettings,
    EnhancerSettings,
    ObservabilitySettings,
    RehearsalSettings,
):
    """Every setting of the server. By default it serves the tiny model on loopback without keys."""

    @model_validator(mode="after")
    def _validate_deterministic_time(self) -> Self:
        if self.deterministic_time and self.checkpoint is not None:
            raise ValueError(
                "LTX23_DETERMINISTIC_TIME / --deterministic-time is for tests with the tiny model: leave out "
                "LTX23_CHECKPOINT / --checkpoint"
            )
        return self

    @model_validator(mode="after")
    def _validate_fast(self) -> Self:
        if self.fast and self.checkpoint is not None:
            raise ValueError(
                "LTX23_FAST / --fast renders small clips and stretches them, for tests with the tiny model: leave out "
                "LTX23_CHECKPOINT / --checkpoint"
            )
        return self

    @property
    def has_key(self) -> bool:
        return bool(self.api_keys) or self.api_keys_file is not None

    @property
    def bind_host(self) -> str:
        """Return the address that the server actually listens on."""
        exposed = self.has_key or self.allow_no_key or self.host in LOOPBACK_HOSTS
        return self.host if exposed else "127.0.0.1"


def load_settings(**overrides: Any) -> Settings:
    """Load settings from the environment; `overrides` win where they are not None. Raises SettingsError."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_context=False, include_url=False)[0]
        # An error that concerns several settings has no location; its message names them.
        name, message = str(first["loc"][0]) if first["loc"] else "", first["msg"].removeprefix("Value error, ")
        raise (setting_error(name, message) if name else SettingsError(message)) from exc


def setting_error(name: str, message: str) -> SettingsError:
    return SettingsError(f"{PREFIX}{name.upper()} / --{name.replace('_', '-')}: {message}")
