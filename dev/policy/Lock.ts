import * as Policy from "../../src/server/access/Policy.ts"
import { toWords } from "../../src/server/access/PolicyWords.ts"
import { baseline } from "../../src/server/domain/Scope.ts"
import type { Description } from "../../src/server/mcp/Catalogue.ts"
import * as PolicyText from "./PolicyText.ts"
import * as Shape from "./Shape.ts"

/** The kinds of what clients can use, in the order of the file. */
const kinds = ["tool", "resource", "template", "prompt"] as const
type Kind = (typeof kinds)[number]

/** The schemas that a kind can have. */
export const schemas = ["input", "output", "arguments", "contents"] as const
type SchemaName = (typeof schemas)[number]

/** What is told of it beside its schemas: hints of a tool, the media type of a resource. */
export const facts = ["hints", "media"] as const
type FactName = (typeof facts)[number]

/** One thing that clients can use: who may, and the shape of what is sent. */
export interface Entry {
  readonly kind: Kind
  readonly name: string
  readonly policy: Policy.Policy
  readonly shapes: Readonly<Partial<Record<SchemaName, Shape.Shape>>>
  readonly facts: Readonly<Partial<Record<FactName, string>>>
}

/** What an entry is called in the file and in messages. */
export const titleOf = ({ kind, name }: Pick<Entry, "kind" | "name">): string => `${kind} ${name}`

type Hints = Description["tools"][number]["listed"]["annotations"]

const wordsOf = ({ readOnlyHint, destructiveHint, idempotentHint, openWorldHint }: Hints): string =>
  [
    readOnlyHint ? "read-only" : "changes things",
    destructiveHint ? "destructive" : "destroys nothing",
    idempotentHint ? "idempotent" : "not idempotent",
    openWorldHint ? "open world" : "closed world"
  ].join(", ")

/** The entries of a catalogue, sorted. A name that comes twice, under different conditions, is numbered. */
export const entriesOf = ({ tools, resources, templates, prompts }: Description): ReadonlyArray<Entry> => {
  const entries: ReadonlyArray<Entry> = [
    ...tools.map(({ listed: { name, inputSchema, outputSchema, annotations }, policy }) => ({
      kind: "tool" as const,
      name,
      policy,
      shapes: {
        input: Shape.shapeOf(inputSchema),
        ...(outputSchema !== undefined && { output: Shape.shapeOf(outputSchema) })
      },
      facts: { hints: wordsOf(annotations) }
    })),
    ...resources.map(({ listed: { uri, mimeType }, contents, policy }) => ({
      kind: "resource" as const,
      name: uri,
      policy,
      shapes: contents === undefined ? {} : { contents: Shape.shapeOf(contents) },
      facts: { media: mimeType }
    })),
    ...templates.map(({ listed: { uriTemplate, mimeType }, contents, policy }) => ({
      kind: "template" as const,
      name: uriTemplate,
      policy,
      shapes: contents === undefined ? {} : { contents: Shape.shapeOf(contents) },
      facts: { media: mimeType }
    })),
    ...prompts.map(({ listed: { name }, argsSchema, policy }) => ({
      kind: "prompt" as const,
      name,
      policy,
      shapes: { arguments: Shape.shapeOf(argsSchema) },
      facts: {}
    }))
  ]
  const counts = new Map<string, number>()
  const numbered = entries.map((entry) => {
    const count = (counts.get(titleOf(entry)) ?? 0) + 1
    counts.set(titleOf(entry), count)
    return count === 1 ? entry : { ...entry, name: `${entry.name} (${count})` }
  })
  return kinds.flatMap((kind) =>
    numbered.filter((entry) => entry.kind === kind).toSorted((one, other) => (one.name < other.name ? -1 : 1))
  )
}

const head = `# Who may use what, and the shape of what is sent. Written by "clerk-mcp policy --write", not by hand.
# "clerk-mcp policy" fails where the catalogue says something else: read what it says, then write the file anew.
`

const line = (label: string, text: string | undefined): string =>
  text === undefined || text === "" ? "" : `  ${label.padEnd(9)} ${text}\n`

/** The text of `policy.lock`. */
export const print = (entries: ReadonlyArray<Entry>): string =>
  [
    head,
    ...entries.map(
      (entry) =>
        `${titleOf(entry)}\n` +
        line("who", toWords(entry.policy)) +
        line("scopes", [...new Set([baseline, ...Policy.scopesOf(entry.policy)])].join(", ")) +
        line("policy", PolicyText.print(entry.policy)) +
        schemas.map((name) => line(name, entry.shapes[name] && Shape.print(entry.shapes[name]))).join("") +
        facts.map((name) => line(name, entry.facts[name])).join("")
    )
  ].join("\n")

/** A line of the file that says nothing that `print` would have written. */
export interface Unreadable {
  readonly line: number
  readonly text: string
}

/** The entries that a text names, or its first line that cannot be read, counted from 1. */
export const parse = (text: string): ReadonlyArray<Entry> | Unreadable => {
  const entries: Array<Entry> = []
  for (const [at, text_] of text.split(/\r?\n/u).entries()) {
    const unreadable: Unreadable = { line: at + 1, text: text_ }
    if (text_ === "" || text_.startsWith("#")) continue
    const [, kind, name] = /^(\w+) (.+)$/u.exec(text_) ?? []
    const title = kinds.find((each) => each === kind)
    if (title !== undefined && name !== undefined) {
      // Nobody's, until the line of its policy comes.
      entries.push({ kind: title, name, policy: Policy.nobody, shapes: {}, facts: {} })
      continue
    }
    const entry = entries.pop()
    const read = entry && readLine(entry, text_)
    if (read === undefined) return unreadable
    entries.push(read)
  }
  return entries
}

/** An entry with what one more of its lines says. */
const readLine = (entry: Entry, text: string): Entry | undefined => {
  const [, label, value] = /^ {2}(\w+) +(.+)$/u.exec(text) ?? []
  if (value === undefined) return undefined
  // These two follow from the policy.
  if (label === "who" || label === "scopes") return entry
  if (label === "policy") {
    const policy = PolicyText.parse(value)
    return policy && { ...entry, policy }
  }
  const schema = schemas.find((name) => name === label)
  if (schema !== undefined) {
    const shape = Shape.parse(value)
    return shape && { ...entry, shapes: { ...entry.shapes, [schema]: shape } }
  }
  const fact = facts.find((name) => name === label)
  return fact && { ...entry, facts: { ...entry.facts, [fact]: value } }
}
