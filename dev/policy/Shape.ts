import * as Predicate from "effect/Predicate"
import { createHash } from "node:crypto"

/** A JSON Schema of objects, as fingerprints: of the whole, and of each property, so that a difference has a name. */
export interface Shape {
  readonly fingerprint: string
  readonly properties: ReadonlyMap<string, { readonly required: boolean; readonly fingerprint: string }>
}

type Node = Readonly<Record<string, unknown>>

/** Keywords that describe, and change nothing of what fits (JSON Schema, meta-data). */
const words = new Set(["title", "description", "examples", "$comment"])
/** Keywords whose keys are names of the team's. */
const maps = new Set(["properties", "patternProperties", "$defs", "dependentSchemas"])
/** Keywords whose values are data. */
const data = new Set(["default", "const", "enum"])

const sorted = (node: Node): Array<readonly [string, unknown]> =>
  Object.entries(node).toSorted(([one], [other]) => (one < other ? -1 : 1))

/** The same data in one order of keys. */
const ordered = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(ordered)
    : Predicate.isObject(value)
      ? Object.fromEntries(sorted(value).map(([key, inner]) => [key, ordered(inner)]))
      : value

/** A schema without what does not matter: words, the order of keys and of required names. */
const bare = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(bare)
  if (!Predicate.isObject(schema)) return schema
  const kept = sorted(schema).filter(([key]) => !words.has(key))
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (data.has(key)) return [key, ordered(value)]
      if (key === "required" && Array.isArray(value)) return [key, value.map(String).toSorted()]
      if (maps.has(key) && Predicate.isObject(value))
        return [key, Object.fromEntries(sorted(value).map(([name, inner]) => [name, bare(inner)]))]
      return [key, bare(value)]
    })
  )
}

const fingerprint = (schema: unknown, length: number): string =>
  createHash("sha256")
    .update(JSON.stringify(bare(schema)))
    .digest("hex")
    .slice(0, length)

/** The shape of a schema, which wording does not change. */
export const shapeOf = (schema: Node): Shape => {
  const properties = Predicate.isObject(schema["properties"]) ? schema["properties"] : {}
  const required: ReadonlyArray<unknown> = Array.isArray(schema["required"]) ? schema["required"] : []
  return {
    fingerprint: fingerprint(schema, 12),
    properties: new Map(
      sorted(properties).map(([name, property]) => [
        name,
        { required: required.includes(name), fingerprint: fingerprint(property, 8) }
      ])
    )
  }
}

/** Such as `3f1c2a9b0d4e (prompt 8be12a07, steps? 77c0aa13)`. */
export const print = ({ fingerprint, properties }: Shape): string => {
  const each = [...properties].map(
    ([name, property]) => `${JSON.stringify(name).slice(1, -1)}${property.required ? "" : "?"} ${property.fingerprint}`
  )
  return each.length === 0 ? fingerprint : `${fingerprint} (${each.join(", ")})`
}

/** The shape that `print` wrote; `undefined` for anything else. */
export const parse = (text: string): Shape | undefined => {
  const [, whole, inner] = /^([0-9a-f]{12})(?: \((.+)\))?$/u.exec(text) ?? []
  if (whole === undefined) return undefined
  const properties: Array<readonly [string, { readonly required: boolean; readonly fingerprint: string }]> = []
  for (const property of inner?.split(/(?<= [0-9a-f]{8}), /u) ?? []) {
    const [, name, optional, fingerprint] = /^(.+?)(\??) ([0-9a-f]{8})$/u.exec(property) ?? []
    if (name === undefined || fingerprint === undefined) return undefined
    properties.push([name, { required: optional === "", fingerprint }])
  }
  return { fingerprint: whole, properties: new Map(properties) }
}

/** What is another in a schema, such as `a is optional now`. */
export const differences = (before: Shape, after: Shape): ReadonlyArray<string> => {
  if (before.fingerprint === after.fingerprint) return []
  const names = [...new Set([...before.properties.keys(), ...after.properties.keys()])].toSorted()
  const found = names.flatMap((name) => {
    const [was, is] = [before.properties.get(name), after.properties.get(name)]
    if (was === undefined) return [`${name} is new and ${is?.required === true ? "required" : "optional"}`]
    if (is === undefined) return [`${name} is gone`]
    return [
      ...(was.required === is.required ? [] : [`${name} is ${is.required ? "required" : "optional"} now`]),
      ...(was.fingerprint === is.fingerprint ? [] : [`${name} has another schema`])
    ]
  })
  return found.length === 0 ? ["not its properties, but something else in it"] : found
}
