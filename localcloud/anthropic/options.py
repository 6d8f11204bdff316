"""Checks the options of a message request: thinking, structured outputs, tools."""

import re
from enum import StrEnum
from typing import Any

from localcloud.anthropic.errors import invalid, required
from localcloud.anthropic.schema import check_schema

EFFORTS = ("low", "medium", "high", "xhigh", "max")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
USER_ID_MAX = 256


class Thinking(StrEnum):
    """Whether the model thinks before it answers; it does unless that is switched off."""

    ADAPTIVE = "adaptive"
    DISABLED = "disabled"


def check_options(body: dict[str, Any]) -> None:
    """Accept the options that have no part in the answer.

    Raises:
        ApiError: 400; one of them is not in order.
    """
    if body.get("stream"):
        raise invalid("stream: the stand-in answers in one piece only")
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or metadata.keys() - {"user_id"}:
        raise invalid("metadata: Extra inputs are not permitted")
    if len(metadata.get("user_id") or "") > USER_ID_MAX:
        raise invalid(f"metadata.user_id: String should have at most {USER_ID_MAX} characters")
    if body.get("service_tier", "auto") not in {"auto", "standard_only"}:
        raise invalid("service_tier: Input should be 'auto' or 'standard_only'")
    if body.get("inference_geo") not in {None, "global", "us"}:
        raise invalid("inference_geo: Input should be 'global' or 'us'")


def thinking_of(body: dict[str, Any]) -> Thinking:
    """Return whether the model thinks.

    Raises:
        ApiError: 400; a kind of thinking, or a combination, that the model does not take.
    """
    thinking, effort = body.get("thinking", {"type": "adaptive"}), _output_config(body).get("effort") or "high"
    if effort not in EFFORTS:
        raise invalid(f"output_config.effort: Input should be {', '.join(map(repr, EFFORTS))}")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "enabled":
        advice = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        raise invalid(f'"thinking.type.enabled" is not supported for this model. {advice}')
    if kind not in {"adaptive", "disabled"}:
        raise invalid(f"thinking: Input tag '{kind}' found using 'type' does not match: 'adaptive', 'disabled'")
    if kind == "disabled" and EFFORTS.index(effort) > EFFORTS.index("high"):
        raise invalid(f"thinking.type: 'disabled' is not supported with effort '{effort}' for this model")
    return Thinking(kind)


def output_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a structured output, None for free text.

    Raises:
        ApiError: 400; the schema has what the service refuses.
    """
    wanted = _output_config(body).get("format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid("output_config.format.type: Input should be 'json_schema'")
    if extra := sorted(wanted.keys() - {"type", "schema"}):
        raise invalid(f"output_config.format.{extra[0]}: Extra inputs are not permitted")
    if "schema" not in wanted:
        raise required("output_config.format.schema")
    schema: dict[str, Any] = wanted["schema"]
    check_schema("output_config.format.schema", schema)
    return schema


def tool_of(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the tool that the answer calls: the one that is named, else the first; None if there are none.

    Raises:
        ApiError: 400; tools or the choice are not in order.
    """
    tools, choice = body.get("tools") or [], body.get("tool_choice", {"type": "auto"})
    by_name: dict[str, dict[str, Any]] = {
        _tool_name(tool, f"tools.{number}"): tool for number, tool in enumerate(tools)
    }
    if len(by_name) < len(tools):
        raise invalid("tools: Tool names must be unique.")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in {"auto", "any", "tool", "none"}:
        raise invalid(
            f"tool_choice: Input tag '{kind}' found using 'type' does not match: 'auto', 'any', 'tool', 'none'"
        )
    if not tools:
        if "tool_choice" in body and kind != "none":
            raise invalid("tool_choice may only be specified while providing tools.")
        return None
    if kind in {"any", "tool"} and thinking_of(body) is not Thinking.DISABLED:
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "tool":
        if choice.get("name") not in by_name:
            raise invalid(f"Tool '{choice.get('name')}' not found in provided tools")
        chosen = choice["name"]
    elif kind == "none":
        return None
    else:
        chosen = next(iter(by_name))
    return by_name[chosen]


def _tool_name(tool: object, where: str) -> str:
    if not isinstance(tool, dict) or tool.get("type", "custom") != "custom":
        raise invalid(f"{where}: the stand-in serves tools of the type 'custom' only")
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        raise invalid(f"{where}.custom.name: String should match pattern '^{TOOL_NAME.pattern}$'")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid(f"{where}.custom.input_schema.type: Input should be 'object'")
    if tool.get("strict"):
        check_schema(f"{where}.custom.input_schema", schema)
    return name


def _output_config(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("output_config", {})
    if not isinstance(config, dict):
        raise invalid("output_config: Input should be an object")
    if extra := sorted(config.keys() - {"effort", "format"}):
        raise invalid(f"output_config.{extra[0]}: Extra inputs are not permitted")
    return config
