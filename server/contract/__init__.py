"""Parse and validate requests with pure functions: bytes in, a resolved request or the reasons for its refusal out."""

from server.contract.adjustments import Adjustment, adjustments_header, adjustments_json, shorten_list
from server.contract.body import parse_body
from server.contract.crop import report_crops
from server.contract.enhance import EnhancePromptRequest, ResolvedEnhance, resolve_enhance
from server.contract.envelope import Unwrapped, unwrap
from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.form import read_form
from server.contract.form_body import parse_multipart, parse_urlencoded
from server.contract.images import ResolvedImage
from server.contract.openai import OpenAIRequest, read_openai_names, video_form_schema, video_schema
from server.contract.resolve import ResolvedRequest, draw_seed, resolve_request, to_spec, wants_json
from server.contract.schema import enhance_schema, request_schema
from server.contract.wire import GenerateRequest, KeyframeRequest

__all__ = [
    "Adjustment",
    "EnhancePromptRequest",
    "FieldError",
    "GenerateRequest",
    "KeyframeRequest",
    "Loc",
    "OpenAIRequest",
    "RequestInvalid",
    "ResolvedEnhance",
    "ResolvedImage",
    "ResolvedRequest",
    "Unwrapped",
    "adjustments_header",
    "adjustments_json",
    "draw_seed",
    "enhance_schema",
    "parse_body",
    "parse_multipart",
    "parse_urlencoded",
    "read_form",
    "read_openai_names",
    "report_crops",
    "request_schema",
    "resolve_enhance",
    "resolve_request",
    "shorten_list",
    "to_spec",
    "unwrap",
    "video_form_schema",
    "video_schema",
    "wants_json",
]
