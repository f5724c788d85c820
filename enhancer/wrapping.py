"""Remove what a language model puts around a text: JSON, quotation marks. Other texts are returned unchanged."""

import json
import re

_JSON_KEYS = ("prompt", "enhanced_prompt", "rewrite", "description", "paragraph", "caption", "text")
_CUT_JSON = re.compile(r'\{\s*"\w{1,40}"\s*:\s*"((?:[^"\\]|\\.)*)"?[\s}]*', re.DOTALL)

# A mark that opens one thing and closes another: “these”, „diese“, «celles-ci», »jene«.
_CLOSERS = {'"': '"', "'": "'", "“": "”", "„": "“”", "«": "»", "»": "«", "‘": "’", "‹": "›", "「": "」", "『": "』"}


def unwrap_json(text: str) -> str:
    """Return the string inside JSON, also of a truncated object."""
    if not text.startswith(("{", '"')):
        return text
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        match = _CUT_JSON.fullmatch(text)
        return _unescape(match[1]) if match else text
    return _only_text(value) or text


def _only_text(value: object) -> str | None:
    """Return the string in what a model took for the right wrapping."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    strings = {key: item for key, item in value.items() if isinstance(item, str)}
    named = next((strings[key] for key in _JSON_KEYS if key in strings), None)
    return named or (next(iter(strings.values())) if len(strings) == 1 else None)


def _unescape(body: str) -> str:
    try:
        text: str = json.loads(f'"{body}"', strict=False)
    except ValueError:
        return body
    return text


def drop_outer_quotes(text: str) -> str:
    """Drop quotation marks around the whole, or left over on one side; keep those of quotations at both ends."""
    if len(text) < 2:
        return text
    closers = _CLOSERS.get(text[0], "")
    inner = text[1:-1] if text[-1] in closers else None
    if inner is not None and closers and not _is_opened_anew(text[0], inner):
        return inner.strip()
    if closers and not any(closer in text[1:] for closer in closers):
        return text[1:].strip()
    return text


def _is_opened_anew(opener: str, inner: str) -> bool:
    """Return whether the inner text closes what was opened before it: `Go!" he says. "Now`."""
    closes = [inner.find(closer) for closer in _CLOSERS[opener] if closer in inner]
    if not closes:
        return False
    first = min(closes)
    is_opening = (
        opener == _CLOSERS[opener] and first > 0 and inner[first - 1] in " (" and inner[first + 1 : first + 2] != " "
    )
    return not is_opening
