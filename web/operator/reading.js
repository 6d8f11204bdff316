// Stored values as the functions read them: by the core's own schemas, which rollouts.json carries.

/** What cannot be read, by its field. */
export class Unreadable extends Error {}

// Whoever writes by hand, in the console, may have written a number as text: the functions take it as well.
const KINDS = {
  null: (value) => (value === null ? null : undefined),
  string: (value) => (typeof value === "string" ? value : undefined),
  integer: (value) => (/^\s*[+-]?\d+(\.0*)?\s*$/.test(plain(value)) ? Number(value) : undefined),
  number: (value) => (plain(value).trim() && Number.isFinite(Number(value)) ? Number(value) : undefined),
  boolean: (value) => (/^(1|on|t|true|y|yes)$/i.test(String(value)) ? true : /^(0|off|f|false|n|no)$/i.test(String(value)) ? false : undefined),
  array: (value) => (Array.isArray(value) ? value : undefined),
  object: (value) => (value !== null && Object.getPrototypeOf(value) === Object.prototype ? value : undefined),
};

const plain = (value) => (typeof value === "number" || typeof value === "string" ? String(value) : "");
const time = (value) => (value?.toDate || !Number.isNaN(Date.parse(value)) ? value : undefined);

/** Returns a value with its defaults by a JSON schema as pydantic writes it. Throws Unreadable for one that is not so. */
export function readBy(schema, value, defs = schema.$defs, field = "") {
  if (schema.$ref) return readBy(defs[schema.$ref.split("/").at(-1)], value, defs, field);
  if (schema.anyOf) return firstOf(schema.anyOf, value, defs, field);
  const found = schema.format === "date-time" ? time(value) : KINDS[schema.type](value);
  if (found === undefined || !inRange(schema, found)) throw new Unreadable(field);
  const below = (name) => (field ? `${field}.${name}` : name);
  if (schema.items) return found.map((each, n) => readBy(schema.items, each, defs, below(n)));
  if (schema.prefixItems) return found.map((each, n) => readBy(schema.prefixItems[n], each, defs, below(n)));
  if (schema.properties) return { ...found, ...readFields(schema, found, defs, below) };
  if (schema.additionalProperties)
    return Object.fromEntries(Object.entries(found).map(([name, each]) => [name, readBy(schema.additionalProperties, each, defs, below(name))]));
  return found;
}

function readFields({ properties, required = [] }, found, defs, below) {
  const fields = Object.entries(properties).map(([name, of]) => {
    if (name in found) return [name, readBy(of, found[name], defs, below(name))];
    if (required.includes(name)) throw new Unreadable(below(name));
    return [name, of.default === undefined ? {} : of.default]; // a map without a default is empty
  });
  return Object.fromEntries(fields);
}

function firstOf(schemas, value, defs, field) {
  let problem;
  for (const schema of schemas)
    try {
      return readBy(schema, value, defs, field);
    } catch (error) {
      problem ??= error;
    }
  throw problem;
}

function inRange(schema, value) {
  const size = typeof value === "string" ? [...value].length : value?.length;
  return (
    (!schema.enum || schema.enum.includes(value)) &&
    !(value < schema.minimum) &&
    !(value > schema.maximum) &&
    !(size > (schema.maxLength ?? schema.maxItems)) &&
    !(size < (schema.minLength ?? schema.minItems))
  );
}
