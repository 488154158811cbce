import type {
  Prompt,
  Resource,
  ResourceTemplateType,
  StandardSchemaWithJSON,
  Tool as ProtocolTool
} from "@modelcontextprotocol/server"
import * as Tool from "effect/ai/Tool"
import * as Context from "effect/Context"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"

import * as Policy from "../access/Policy.ts"
import type { PromptTemplate } from "../capability/PromptTemplate.ts"
import type * as Tools from "../capability/Resource.ts"
import type * as Templates from "../capability/ResourceTemplate.ts"

type JsonSchema = { readonly type: "object" } & Record<string, unknown>

/** What a list shows of something, and who may see it. Made once from the definition, which is the only source. */
export interface Entry<Listed> {
  readonly listed: Listed
  readonly policy: Policy.Policy
}

type Node = Readonly<Record<string, unknown>>

/** Keywords whose values are data, not schemas (JSON Schema, validation). */
const data = new Set(["default", "const", "enum", "examples"])

/**
 * A schema in the words that the function calls of models have: every object says which properties it has, and what is
 * defined once is written wherever it is used. `kept`: the definitions that stay references.
 */
const plain = (node: Node, definitions: Readonly<Record<string, Node>>, kept: ReadonlyArray<string> = []): Node => {
  const inner = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(inner) : Predicate.isObject(value) ? plain(value, definitions, kept) : value
  const { $ref, ...rest } = node
  const name = String($ref).replace("#/$defs/", "")
  const definition = kept.includes(name) ? undefined : definitions[name]
  if (definition !== undefined) return plain({ ...definition, ...rest }, definitions, [...kept, name])
  // Effect says of an object that has no properties only that it is not null.
  if (Predicate.isObject(node["not"]) && node["not"]["type"] === "null")
    return { type: "object", properties: {}, additionalProperties: false }
  const schema = Record.map(node, (value, key) => {
    if (key === "properties" && Predicate.isObject(value)) return Record.map(value, inner)
    return data.has(key) ? value : inner(value)
  })
  return schema["type"] === "object" ? { properties: {}, ...schema } : schema
}

/** A schema of objects as JSON Schema, which refuses what it does not name. */
export const jsonSchema = (schema: Schema.Constraint): JsonSchema => {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" })
  const inlined = plain({ type: "object", ...root }, definitions)
  // What contains itself cannot be written out.
  const isWhole = !JSON.stringify(inlined).includes('"$ref"')
  const $defs = Record.map(definitions, (definition) => plain(definition, definitions, Object.keys(definitions)))
  return { ...inlined, type: "object", ...(!isWhole && { $defs }) }
}

/** Describes a tool. Its parameters and its success have to encode to objects (MCP, tools). */
export const tool = (name: string, definition: Tool.Any) => ({
  listed: {
    name,
    title: Context.getOrElse(definition.annotations, Tool.Title, () => name),
    description: definition.description ?? "",
    inputSchema: jsonSchema(definition.parametersSchema),
    outputSchema: jsonSchema(definition.successSchema),
    annotations: {
      readOnlyHint: Context.get(definition.annotations, Tool.Readonly),
      destructiveHint: Context.get(definition.annotations, Tool.Destructive),
      idempotentHint: Context.get(definition.annotations, Tool.Idempotent),
      openWorldHint: Context.get(definition.annotations, Tool.OpenWorld)
    }
  } satisfies ProtocolTool,
  policy: Context.get(definition.annotations, Policy.Required)
})

export const resource = ({ uri, name, title, description, mediaType: mimeType, policy }: Tools.Resource) => ({
  listed: { uri, name, title, description, mimeType } satisfies Resource,
  policy
})

export const template = ({ uriTemplate, name, title, description, policy }: Templates.ResourceTemplate) => ({
  listed: { uriTemplate, name, title, description, mimeType: "application/json" } satisfies ResourceTemplateType,
  policy
})

const ArgumentsSchema = Schema.Struct({
  properties: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Struct({ description: Schema.optionalKey(Schema.String) }))
  ),
  required: Schema.optionalKey(Schema.Array(Schema.String))
})

/** Describes a prompt. Its arguments have to encode to an object of texts (MCP, prompts). */
export const prompt = ({ name, title, description, policy, arguments: schema }: PromptTemplate) => {
  const argsSchema = jsonSchema(schema)
  const { properties = {}, required = [] } = Schema.decodeUnknownSync(ArgumentsSchema)(argsSchema)
  const args = Object.entries(properties).map(([name, { description = "" }]) => ({
    name,
    description,
    required: required.includes(name)
  }))
  return { listed: { name, title, description, arguments: args } satisfies Prompt, argsSchema, policy }
}

/**
 * A JSON Schema in the form in which the SDK takes schemas. It accepts every value: what it was made from decodes the
 * input and encodes the output, and once is enough.
 */
export const advertised = (schema: JsonSchema): StandardSchemaWithJSON<unknown, unknown> => ({
  "~standard": {
    version: 1,
    vendor: "effect",
    validate: (value) => ({ value }),
    jsonSchema: { input: () => schema, output: () => schema }
  }
})
