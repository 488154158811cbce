import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** What the code tells a person when something goes wrong. */
export interface ErrorText {
  readonly file: string
  readonly text: string
}

const root = join(import.meta.dirname, "../..")

/** Where words for failures begin: calls that answer or fail with them, and the messages of error classes. */
const openings =
  /\b(?:errorPage|answer|rejected|refused|refusal|tryLater|notAcceptable|invalid|notFound|unavailable|rejection|wait)\(|\bnew \w+\(\{|\boverride get message\(\): string \{|\boverride readonly message = |\b(?:error_description|message|problem|todo|title): (?=["'`])|\bconst (?:description|message|problem) = |\b(?:apology|title) = /gu

const closing: Readonly<Record<string, string>> = { "(": ")", "{": "}" }

interface Literal {
  readonly pieces: ReadonlyArray<string>
  readonly end: number
}

/** The string or template literal that begins here. */
const literalAt = (code: string, start: number): Literal => {
  const quote = code[start]
  const pieces = [""]
  let at = start + 1
  while (at < code.length && code[at] !== quote) {
    if (code[at] === "\\") {
      pieces.push(`${pieces.pop() ?? ""}${code[at + 1] === "n" ? "\n" : code[at + 1]}`)
      at += 2
    } else if (quote === "`" && code.startsWith("${", at)) {
      at = blockEnd(code, at + 1).end
      pieces.push("")
    } else {
      pieces.push(`${pieces.pop() ?? ""}${code[at]}`)
      at += 1
    }
  }
  return { pieces, end: at + 1 }
}

/** The end of a bracket that opens here, and the literals within. */
const blockEnd = (code: string, start: number): { readonly end: number; readonly literals: ReadonlyArray<Literal> } => {
  const literals: Array<Literal> = []
  const open = code[start] ?? "("
  let depth = 0
  let at = start
  while (at < code.length) {
    const sign = code[at] ?? ""
    if (code.startsWith("//", at)) at = code.indexOf("\n", at)
    else if (code.startsWith("/*", at)) at = code.indexOf("*/", at) + 1
    else if (`"'\``.includes(sign)) {
      const literal = literalAt(code, at)
      literals.push(literal)
      at = literal.end
      continue
    }
    if (sign === open) depth++
    if (sign === closing[open] && --depth === 0) return { end: at + 1, literals }
    at++
  }
  return { end: at, literals }
}

/** Two words or more, and no header, address or list of names. */
const isSentence = (piece: string): boolean =>
  /[a-z’'`]{2,}[ ,:]+[a-z’'(`]{2,}/u.test(piece) && !/^Bearer |^https?:|=\$?"|^[\w-]+\/[\w-]+$/u.test(piece)

const textsOf = (code: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...code.matchAll(openings)].flatMap(({ 0: opening, index }) => {
    const last = index + opening.length - 1
    const inBrackets = closing[code[last] ?? ""] !== undefined
    if (inBrackets) return blockEnd(code, last).literals.map(({ pieces }) => pieces)
    const next = code.slice(last + 1).search(/\S/u) + last + 1
    return `"'\``.includes(code[next] ?? " ") ? [literalAt(code, next).pieces] : []
  })

const sources = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name}`)

/** Constants that hold a sentence, by their names: some are handed to what answers. */
const named = (code: string): ReadonlyArray<readonly [string, ReadonlyArray<string>]> =>
  [...code.matchAll(/^(?:export )?const (\w+) =\s+(?=["'`])/gmu)].map(({ 0: declared, 1: name = "", index }) => [
    name,
    literalAt(code, index + declared.length).pieces
  ])

/** Files whose sentences are all faults of a team's definition. */
const ofFaults = /\/(?:CatalogueFaults|ServerInfo|Operators)\.ts$/u

/** What these say is for the log, or about something else than failures. */
const leftOut =
  /server\/(?:testing|clerk|clients)\/|server\/http\/(?:Health|WebhookDeliveries)|capability\/Content\.ts$|index\.ts$|^dev\/(?:clerk|doctor|policy)\//u

/** An error of the set-up says what to do next by itself: what is looked for is the problem. */
const problems = (code: string) =>
  [...code.matchAll(/\bproblem: (?=["'`])/gu)].map(
    ({ 0: opening, index }) => literalAt(code, index + opening.length).pieces
  )

const longest = (pieces: ReadonlyArray<string>): string =>
  pieces
    .filter(isSentence)
    .reduce((one, other) => (other.length > one.length ? other : one), "")
    .trim()

/**
 * What the code has for people to read when something goes wrong: pages, OAuth errors, MCP errors, errors of the command
 * line and of the definition. Read from the calls that say it, so that a new one is here by itself. Of a text with
 * something filled in, the longest piece.
 */
export const errorTexts = (): ReadonlyArray<ErrorText> => {
  const files = [...sources("src/server"), ...sources("dev")].filter((file) => !leftOut.test(file))
  const codes = files.map((file) => ({ file, code: readFileSync(join(root, file), "utf8") }))
  const all = codes.map(({ code }) => code).join("\n")
  const texts = codes.flatMap(({ file, code }) => {
    if (/^dev\/(?:setup|wrangler)\/|Deploy\.ts$/u.test(file)) return problems(code).map((pieces) => ({ file, pieces }))
    const told = named(code).flatMap(([name, pieces]) =>
      new RegExp(
        `(?:refused|rejected|faultOf|invalid)\\([^\\n]*\\b${name}\\b|return ${name}\\b|\\? ${name} :`,
        "u"
      ).test(all)
        ? [pieces]
        : []
    )
    const faults = ofFaults.test(file)
      ? blockEnd(`{${code}}`, 0).literals.filter(({ pieces }) => pieces.at(-1)?.endsWith(".") === true)
      : []
    return [...textsOf(code), ...told, ...faults.map(({ pieces }) => pieces)].map((pieces) => ({ file, pieces }))
  })
  const each = new Map(texts.map(({ file, pieces }) => [longest(pieces), file]))
  each.delete("")
  return [...each].map(([text, file]) => ({ file, text }))
}
