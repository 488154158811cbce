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
import { CallLimit } from "../capability/CallLimit.ts"
import type { PromptTemplate } from "../capability/PromptTemplate.ts"
import type { Resource as ResourceDefinition } from "../capability/Resource.ts"
import type { ResourceTemplate } from "../capability/ResourceTemplate.ts"

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

/** What a JSON content looks like: of any type, as JSON Schema. */
export const contentSchema = (schema: Schema.Constraint): Node => {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema)
  return { ...plain(root, definitions), $defs: definitions }
}

const describesObject = (node: Node): boolean => {
  const { type, anyOf } = node
  if (type !== undefined) return type === "object"
  return Array.isArray(anyOf) && anyOf.every((each) => Predicate.isObject(each) && describesObject(each))
}

/** Whether what a schema describes encodes to an object, which structured content has to be (MCP, tools). */
export const isObject = (schema: Schema.Constraint): boolean => {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema)
  return describesObject(plain(root, definitions))
}

/** What of a tool a client is told. */
type Described = Pick<Tool.Any, "description" | "parametersSchema" | "successSchema" | "annotations"> & {
  readonly name: string
}

/** Describes a tool. Its parameters have to encode to an object; a success that does not has no schema (MCP, tools). */
export const tool = ({ name, ...definition }: Described) => ({
  listed: {
    name,
    title: Context.getOrElse(definition.annotations, Tool.Title, () => name),
    description: definition.description ?? "",
    inputSchema: jsonSchema(definition.parametersSchema),
    ...(isObject(definition.successSchema) && { outputSchema: jsonSchema(definition.successSchema) }),
    annotations: {
      readOnlyHint: Context.get(definition.annotations, Tool.Readonly),
      destructiveHint: Context.get(definition.annotations, Tool.Destructive),
      idempotentHint: Context.get(definition.annotations, Tool.Idempotent),
      openWorldHint: Context.get(definition.annotations, Tool.OpenWorld)
    }
  } satisfies ProtocolTool,
  policy: Context.get(definition.annotations, Policy.Required),
  callLimit: Context.get(definition.annotations, CallLimit)
})

const Arguments = Schema.Struct({
  properties: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Struct({ description: Schema.optionalKey(Schema.String) }))
  ),
  required: Schema.optionalKey(Schema.Array(Schema.String))
})

/** How a model can make a tool return less, from what its schema says. */
export const howToAskForLess = ({ parametersSchema }: Tool.Any): string => {
  const { properties } = jsonSchema(parametersSchema)
  const names = Predicate.isObject(properties) ? Object.keys(properties) : []
  return names.length === 0
    ? "This tool has no arguments that make it smaller."
    : `Call the tool again with arguments that ask for less: it takes ${names.join(", ")}.`
}

export const resource = ({
  uri,
  name,
  title,
  description,
  mediaType: mimeType,
  policy
}: ResourceDefinition<unknown>) => ({
  listed: { uri, name, title, description, mimeType } satisfies Resource,
  policy
})

export const template = ({ uriTemplate, name, title, description, policy }: ResourceTemplate<unknown>) => ({
  listed: { uriTemplate, name, title, description, mimeType: "application/json" } satisfies ResourceTemplateType,
  policy
})

/** Describes a prompt. Its arguments have to encode to an object of texts (MCP, prompts). */
export const prompt = ({ name, title, description, policy, arguments: schema }: PromptTemplate<unknown>) => {
  const argsSchema = jsonSchema(schema)
  const { properties = {}, required = [] } = Schema.decodeUnknownSync(Arguments)(argsSchema)
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
