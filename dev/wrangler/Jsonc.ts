import type * as Schema from "effect/Schema"
import { findNodeAtLocation, getNodeValue, type Node, parse, type ParseError, parseTree } from "jsonc-parser"

/** Where a value stands: names of properties, and places in arrays. */
export type Path = ReadonlyArray<string | number>

/** The longest line of the repository's formatter. */
const width = 120

/**
 * A value as `wrangler.jsonc` is written: on one line where it fits behind `used` columns, else one part on each, indented
 * by `margin` and two.
 */
const print = (value: Schema.Json, margin: number, used: number): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  const parts: ReadonlyArray<readonly [string, Schema.Json]> = Array.isArray(value)
    ? value.map((part: Schema.Json) => ["", part])
    : Object.entries(value).map(([name, part]) => [`${JSON.stringify(name)}: `, part])
  const [open, close, space] = Array.isArray(value) ? ["[", "]", ""] : ["{", "}", " "]
  if (parts.length === 0) return open + close
  const line = parts.map(([key, part]) => key + print(part, 0, -Infinity)).join(", ")
  if (used + line.length + 2 * space.length + 2 < width) return `${open}${space}${line}${space}${close}`
  const inner = margin + 2
  const lines = parts.map(([key, part]) => " ".repeat(inner) + key + print(part, inner, inner + key.length))
  return `${open}\n${lines.join(",\n")}\n${" ".repeat(margin)}${close}`
}

/** What a JSON file with comments says, or undefined where it cannot be read. */
export const readJsonc = (text: string): unknown => {
  const errors: Array<ParseError> = []
  const value: unknown = parse(text, errors, { allowTrailingComma: true })
  return errors.length > 0 ? undefined : value
}

const at = (text: string, path: Path): Node | undefined => {
  const tree = parseTree(text, [], { allowTrailingComma: true })
  return tree && findNodeAtLocation(tree, [...path])
}

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

const lineBefore = (text: string, offset: number) => text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset)

const marginOf = (line: string) => /^ */u.exec(line)?.[0].length ?? 0

const replace = (text: string, { length, offset }: Node, value: Schema.Json): string => {
  const line = lineBefore(text, offset)
  return text.slice(0, offset) + print(value, marginOf(line), line.length) + text.slice(offset + length)
}

/** Behind the last part of an object or array, in the way that it is written: on the same line, or on one of its own. */
const append = (text: string, last: Node, key: string, value: Schema.Json): string => {
  const end = last.offset + last.length
  const before = lineBefore(text, last.offset)
  if (before.trim() !== "") {
    return `${text.slice(0, end)}, ${key}${print(value, 0, -Infinity)}${text.slice(end)}`
  }
  const margin = before.length
  const printed = " ".repeat(margin) + key + print(value, margin, margin + key.length)
  // A comment behind the last part stays with it.
  const [, comma = "", comment = ""] =
    /^(\s*,)?([^\S\n]*\/\/[^\n]*|[^\S\n]*\/\*[^\n]*\*\/[^\S\n]*(?=\n))?/u.exec(text.slice(end)) ?? []
  const rest = text.slice(end + comma.length + comment.length)
  return `${text.slice(0, end)},${comment}\n${printed}${comma === "" ? "" : ","}${rest}`
}

const set = (text: string, path: Path, value: Schema.Json): string => {
  const present = at(text, path)
  if (present !== undefined) return same(getNodeValue(present), value) ? text : replace(text, present, value)
  const key = path.at(-1) ?? ""
  const parent = at(text, path.slice(0, -1))
  const made: Schema.Json = typeof key === "number" ? [value] : { [key]: value }
  if (parent === undefined) return set(text, path.slice(0, -1), made)
  const last = parent.children?.at(-1)
  if (last === undefined) return replace(text, parent, made)
  return append(text, last, typeof key === "number" ? "" : `${JSON.stringify(key)}: `, value)
}

/**
 * The text of a JSON file with comments, with `value` at `path`. Everything else stays as it is, comments and line ends
 * too; so does a value that is there already.
 */
export const setJsonc = (text: string, path: Path, value: Schema.Json): string => {
  const after = set(text.replaceAll("\r\n", "\n"), path, value)
  return text.includes("\r\n") ? after.replaceAll("\n", "\r\n") : after
}
