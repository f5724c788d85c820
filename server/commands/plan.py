"""`ltx23 weights plan`: show where a model's parts would be and which clips fit, without loading or fetching them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.memory import SMALLEST_CLIP, MemoryLevel, MemoryPlan, choose_plan, fits_unstreamed
from server.commands.plan_table import plan_table, verdict
from server.commands.weight_names import Choice, choose_weights, is_present, pull_command, validate_present
from server.settings import Settings, load_settings, setting_error
from weights.folder import OwnParts, find_own_parts
from weights.registry import GEMMA_BNB_4BIT, Registry, Role

if TYPE_CHECKING:
    from pipelines.ltx.fp8 import Fp8Choice
    from pipelines.ltx.plan import PlannedFiles
    from pipelines.ltx.text_quantized import TextQuantization

COMPANIONS = (Role.VIDEO_VAE, Role.AUDIO_VAE, Role.TEXT_PROJECTION)


@dataclass(frozen=True)
class Card:
    """The card that is planned for. `note` is its name, or what was assumed about it."""

    capacity_bytes: int
    multiplies_fp8: bool
    note: str = ""


def plan(registry: Registry, *, set_name: str | None, **options: Any) -> int:
    """Print the plan. Return exit code 0 if a clip fits, otherwise 1. Raises SettingsError, WeightsError."""
    if set_name is not None:
        options["checkpoint"] = registry.find(set_name).name
    settings = load_settings(**options)
    if settings.checkpoint is None:
        settings = settings.model_copy(update={"checkpoint": Path(registry.default.name)})
    chosen = choose_weights(settings, registry)
    card = find_card(settings)
    fp8, taken = make_plan(settings, chosen, card)
    is_auto = settings.memory == "auto"
    plans = [replace(taken, level=level) for level in MemoryLevel] if is_auto else [taken]
    _print_subject(settings, chosen, card, fp8, registry)
    print("\n".join(plan_table(plans, count_steps(settings.stages))))
    print(f"\n{verdict(taken, is_auto)}")
    return 0 if any(each.fits(SMALLEST_CLIP) for each in plans) else 1


def count_steps(stages: int) -> int:
    from pipelines.ltx.schedule import STAGE_1_SIGMAS, STAGE_2_SIGMAS

    sigmas = [STAGE_1_SIGMAS, STAGE_2_SIGMAS][:stages]
    return sum(len(each) - 1 for each in sigmas)


def find_card(settings: Settings) -> Card:
    """Return the card to plan for. Raises SettingsError if there is neither a card nor --vram."""
    import torch

    from pipelines.ltx.fp8 import has_fp8_arithmetic, resolve_fp8_mode
    from server.worker.device import resolve_capacity, resolve_device, unusable_card

    device = resolve_device(settings.device)
    wanted_bytes = None if settings.vram is None else round(settings.vram * 1e9)
    if device.type == "cuda":
        resolve_fp8_mode(settings.fp8, device)
        free_bytes, name = resolve_capacity(device, None), torch.cuda.get_device_name(device)
        return Card(wanted_bytes or free_bytes, has_fp8_arithmetic(device), name)
    if wanted_bytes is None:
        reason = unusable_card() or "there is no CUDA device here whose free memory would be taken"
        raise setting_error("vram", f"is needed, in GB: {reason}")
    return Card(wanted_bytes, True, "a card that multiplies FP8 is assumed" if settings.fp8 == "auto" else "")


def make_plan(settings: Settings, chosen: Mapping[Role, Choice], card: Card) -> "tuple[Fp8Choice, MemoryPlan]":
    """Return what a server would choose: how it uses FP8, and the plan of its level.

    Raises SettingsError, WeightsError.
    """
    import torch

    from pipelines.ltx.fp8 import Fp8Choice, Fp8Mode, choose_fp8_mode
    from pipelines.ltx.plan import shape_models

    # The plan is for a card, even when it is made on another machine.
    dtype = torch.float32 if settings.dtype == "float32" else torch.bfloat16
    files, text_quantization = planned_files(settings, chosen), _text_quantization(settings, chosen)
    wanted = None if settings.memory == "auto" else MemoryLevel(settings.memory)

    def fits_plain() -> bool:
        models = shape_models(files, dtype, Fp8Mode.DEQUANTIZE, text_quantization)
        return fits_unstreamed(wanted, models.sizes(), models.widths(), card.capacity_bytes)

    if settings.fp8 == "auto":
        fp8 = choose_fp8_mode(card.multiplies_fp8, settings.speed != "eager", fits_plain)
    else:
        fp8 = Fp8Choice(Fp8Mode(settings.fp8), "as set")
    models = shape_models(files, dtype, fp8.mode, text_quantization)
    return fp8, choose_plan(wanted, models.sizes(), models.widths(), card.capacity_bytes)


def planned_files(settings: Settings, chosen: Mapping[Role, Choice]) -> "PlannedFiles":
    """Return the files to plan with. Raises SettingsError if a given checkpoint's companions are not on the disk.

    Parts of a set that are not on the disk, and parts that were not given, are planned as published.
    """
    from pipelines.ltx.plan import PlannedFiles

    here = {role: choice.path for role, choice in chosen.items() if is_present(settings, choice)}
    if chosen[Role.CHECKPOINT].part is None:
        validate_present(settings, {role: chosen[role] for role in COMPANIONS if role in chosen})
    whole = all(role in here for role in (Role.CHECKPOINT, *COMPANIONS) if role in chosen)
    own = find_own_parts(here[Role.CHECKPOINT]) if whole else OwnParts()
    own_text = Role.TEXT_ENCODER not in chosen
    return PlannedFiles(
        checkpoint=here[Role.CHECKPOINT] if whole else None,
        companions=tuple(here[role] for role in COMPANIONS if role in here) if whole else (),
        upsampler=here.get(Role.UPSCALER) if Role.UPSCALER in chosen else own.upsampler,
        text_encoder=own.text_encoder if own_text else here.get(Role.TEXT_ENCODER),
        tokenizer=own.tokenizer if own_text else None,
        stages=settings.stages,
    )


def _text_quantization(settings: Settings, chosen: Mapping[Role, Choice]) -> "TextQuantization":
    from pipelines.ltx.text_quantized import TextQuantization

    asked = TextQuantization(settings.text_encoder_quantization)
    encoder = chosen.get(Role.TEXT_ENCODER)
    is_stored_so = encoder is not None and encoder.part == GEMMA_BNB_4BIT and not is_present(settings, encoder)
    return TextQuantization.NF4 if is_stored_so else asked


def _print_subject(
    settings: Settings, chosen: Mapping[Role, Choice], card: Card, fp8: "Fp8Choice", registry: Registry
) -> None:
    checkpoint = chosen[Role.CHECKPOINT]
    absent = {role: choice for role, choice in chosen.items() if not is_present(settings, choice)}
    notes = "; ".join(filter(None, (card.note, fp8.reason if settings.fp8 == "auto" else "")))
    subject, note = checkpoint.name or checkpoint.path, f" ({notes})" if notes else ""
    print(f"{subject}: {card.capacity_bytes / 1e9:.2f} GB of device memory, fp8 {fp8.mode}{note}")
    if absent:
        print(f"not on the disk, and planned as published: {', '.join(absent)}")
        print(f"to fetch: {pull_command(settings, next(iter(absent.values())), chosen, registry)}")
    print()
