"""As much of JSON Schema as structured answers are asked with. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

import msgspec

DEPTH_MAX: Final = 12


class Schema(
    msgspec.Struct,
    frozen=True,
    rename={
        "ref": "$ref",
        "defs": "$defs",
        "any_of": "anyOf",
        "min_items": "minItems",
        "max_items": "maxItems",
        "max_length": "maxLength",
    },
):
    """One schema; keywords that are not here are ignored."""

    type: str | tuple[str, ...] = ""
    description: str = ""
    properties: dict[str, Schema] = {}
    required: tuple[str, ...] = ()
    items: Schema | bool | None = None
    enum: tuple[Any, ...] = ()
    const: Any = None
    any_of: tuple[Schema, ...] = ()
    ref: str = ""
    defs: dict[str, Schema] = {}
    minimum: float | None = None
    min_items: Annotated[int, msgspec.Meta(ge=0)] | None = None
    max_items: Annotated[int, msgspec.Meta(ge=0)] | None = None
    max_length: int | None = None

    def resolved(self, root: Schema) -> Schema:
        """Follow `$ref` into the root's `$defs`."""
        schema = self
        for _ in range(DEPTH_MAX):
            if not schema.ref:
                return schema
            schema = root.defs.get(schema.ref.rpartition("/")[2], Schema())
        return schema

    def kinds(self, root: Schema) -> frozenset[str]:
        """The types that it allows, through `anyOf` too."""
        schema = self.resolved(root)
        own = (schema.type,) if isinstance(schema.type, str) else schema.type
        through = (kind for option in schema.any_of for kind in option.kinds(root))
        return frozenset(kind for kind in (*own, *through) if kind)


def fitted(value: Any, schema: Schema, root: Schema, words: str = "", depth: int = 0) -> Any:  # noqa: ANN401
    """`value`, with what the schema asks for beyond it filled in and what it has no place for left out."""
    schema = schema.resolved(root)
    if depth > DEPTH_MAX:
        return None
    if schema.any_of and not schema.properties:
        options = [option.resolved(root) for option in schema.any_of]
        fitting = [option for option in options if _matches(value, option, root)]
        return fitted(value, (fitting or options)[0], root, words, depth + 1)
    if schema.const is not None:
        return schema.const
    if schema.enum:
        return value if value in schema.enum else schema.enum[0]
    kinds = schema.kinds(root)
    if "object" in kinds or schema.properties:
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return {
            name: fitted(given.get(name), inner, root, words, depth + 1)
            for name, inner in schema.properties.items()
            if name in given or name in schema.required
        }
    if "array" in kinds:
        items = list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []
        inner = schema.items if isinstance(schema.items, Schema) else Schema()
        items += [None] * ((schema.min_items or 0) - len(items))
        return [fitted(item, inner, root, words, depth + 1) for item in items[: schema.max_items]]
    return _plain(value, schema, kinds, words)


def _plain(value: Any, schema: Schema, kinds: frozenset[str], words: str) -> Any:  # noqa: ANN401
    if value is not None and (not kinds or any(_is(value, kind) for kind in kinds)):
        return value[: schema.max_length] if isinstance(value, str) else value
    if "null" in kinds:
        return None
    if kinds & {"number", "integer"}:
        return int(schema.minimum or 0)
    if "boolean" in kinds:
        return False
    return (words if value is None else str(value))[: schema.max_length]


def _matches(value: Any, schema: Schema, root: Schema) -> bool:  # noqa: ANN401
    return any(_is(value, kind) for kind in schema.kinds(root)) and (not schema.enum or value in schema.enum)


def _is(value: Any, kind: str) -> bool:  # noqa: ANN401
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list | tuple)
        case _:
            return value is None
