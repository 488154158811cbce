import { toWords } from "../../src/server/access/PolicyWords.ts"
import { type Entry, facts, schemas, titleOf } from "./Lock.ts"
import * as PolicyText from "./PolicyText.ts"
import * as Shape from "./Shape.ts"
import { type Change, compare } from "./Widening.ts"

const meaning: Readonly<Record<Change, string>> = {
  same: "the same people, said in another way",
  wider: "this lets more people in",
  narrower: "this lets fewer people in",
  other: "this lets other people in, and keeps some out",
  unknown: "this may let more people in"
}

const policyDifference = ({ policy: before }: Entry, { policy: after }: Entry): ReadonlyArray<string> =>
  PolicyText.print(before) === PolicyText.print(after)
    ? []
    : [`${toWords(before)} -> ${toWords(after)} (${meaning[compare(before, after)]})`]

const schemaWords = {
  input: "the input schema",
  output: "the output schema",
  arguments: "the schema of the arguments",
  contents: "the schema of the contents"
} as const

const schemaDifferences = ({ shapes: before }: Entry, { shapes: after }: Entry): ReadonlyArray<string> =>
  schemas.flatMap((name) => {
    const what = schemaWords[name]
    const [was, is] = [before[name], after[name]]
    if (was === undefined) return is === undefined ? [] : [`${what} is new`]
    if (is === undefined) return [`${what} is gone`]
    const found = Shape.differences(was, is)
    return found.length === 0 ? [] : [`${what} changed: ${found.join("; ")}`]
  })

const factDifferences = ({ facts: before }: Entry, { facts: after }: Entry): ReadonlyArray<string> =>
  facts.flatMap((name) =>
    before[name] === after[name]
      ? []
      : [`${name === "media" ? "media type" : name}: ${before[name] ?? "none"} -> ${after[name] ?? "none"}`]
  )

/** What became different, each in a sentence that names the entry. */
export const differences = (before: ReadonlyArray<Entry>, after: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const was = new Map(before.map((entry) => [titleOf(entry), entry]))
  const is = new Map(after.map((entry) => [titleOf(entry), entry]))
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((title) => {
    const [old, now] = [was.get(title), is.get(title)]
    if (now === undefined)
      return [`${title}: is gone; it was for ${old === undefined ? "nobody" : toWords(old.policy)}`]
    if (old === undefined) return [`${title}: is new, for ${toWords(now.policy)}`]
    const found = [...policyDifference(old, now), ...schemaDifferences(old, now), ...factDifferences(old, now)]
    return found.map((difference) => `${title}: ${difference}`)
  })
}
