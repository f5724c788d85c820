"""Turn settings into command-line options: the flag, its metavar and its help come from the setting itself."""

import argparse
import types
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from server.settings import Repeated, SettingsGroup

METAVARS = {Path: "PATH", int: "N", float: "X", str: "TEXT", SecretStr: "KEY", tuple: "LIST"}


def add_setting_options(
    parser: argparse.ArgumentParser,
    group: type[SettingsGroup],
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> None:
    """Add an option for each setting of `group`. Its value is text, or None if not given; the settings parse it."""
    assert group.__doc__ is not None
    options = parser.add_argument_group(group.__doc__.rstrip(".").lower())
    for name, field in group.model_fields.items():
        if name not in without and (only is None or name in only):
            options.add_argument(flag(name), help=_help(field), **_kind(field))


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def default_text(field: FieldInfo) -> str:
    """Return the default as text, or nothing if it is not worth showing."""
    value = field.default
    if value is None or value == () or value == "":
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def choices(field: FieldInfo) -> tuple[Any, ...]:
    """Return the values of a setting that has a fixed set of them."""
    return get_args(_plain_type(field)) if get_origin(_plain_type(field)) is Literal else ()


def _help(field: FieldInfo) -> str:
    assert field.description is not None, "every setting has a docstring"
    default = default_text(field)
    text = " ".join(field.description.split())
    # argparse formats help texts with %.
    return (f"{text} (default: {default})" if default and field.annotation is not bool else text).replace("%", "%%")


def _kind(field: FieldInfo) -> dict[str, Any]:
    kind = _plain_type(field)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if choices(field):
        return {"choices": choices(field)}
    if repeated := next((mark for mark in field.metadata if isinstance(mark, Repeated)), None):
        return {"action": "append", "metavar": repeated.metavar}
    return {"metavar": METAVARS[get_origin(kind) or kind]}


def _plain_type(field: FieldInfo) -> Any:
    """Return the type without `| None` and annotations."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
