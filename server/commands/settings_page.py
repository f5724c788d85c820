"""Print docs/settings.md: `python -m server.commands.settings_page > docs/settings.md`."""

from pydantic.fields import FieldInfo

from server.commands.setting_options import choices, default_text, flag
from server.settings import GROUPS, PREFIX

HEAD = """# Settings

Each setting is an environment variable and a flag of `ltx23 serve`; the flag wins. `ltx23 serve --help` shows the same
list. A variable that is empty counts as not set. An invalid value stops the command with an error that names the
setting.

<!-- Generated from server/settings.py: python -m server.commands.settings_page > docs/settings.md -->
"""


def settings_page() -> str:
    lines = [HEAD]
    for group in GROUPS:
        assert group.__doc__ is not None
        lines += [f"## {group.__doc__.rstrip('.')}\n", "| variable | flag | default | |", "|---|---|---|---|"]
        lines += [_row(name, field) for name, field in group.model_fields.items()]
        lines.append("")
    return "\n".join(lines)


def _row(name: str, field: FieldInfo) -> str:
    default = default_text(field)
    meaning = " ".join((field.description or "").split())
    if choices(field):
        meaning += f" One of {', '.join(f'`{choice}`' for choice in choices(field))}."
    return f"| `{PREFIX}{name.upper()}` | `{flag(name)}` | {f'`{default}`' if default else ''} | {meaning} |"


if __name__ == "__main__":
    print(settings_page(), end="")
