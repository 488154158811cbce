import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { type Examination, examine } from "../doctor/Doctor.ts"
import { type Finding, plain } from "../doctor/Faults.ts"

class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", { url: Schema.String, errors: Schema.Int }) {
  override get message(): string {
    return `${this.errors === 1 ? "An error was" : `${this.errors} errors were`} found at ${this.url}.`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const count = (findings: ReadonlyArray<Finding>, severity: Finding["severity"]): number =>
  findings.filter((found) => found.severity === severity).length

const described = ({ severity, what, at, meaning, clients, remedy }: Finding): string =>
  [
    `${severity.toUpperCase()}  ${what}`,
    `  at:     ${at.join("\n          ")}`,
    `  means:  ${meaning}`,
    ...(clients.length === 0 ? [] : [`  whom:   ${clients.join("; ")}`]),
    `  mend:   ${remedy}`
  ].join("\n")

const order: ReadonlyArray<Finding["severity"]> = ["error", "warning", "note"]

/** An examination as a person reads it: the worst first. */
const text = ({ url, findings, report }: Examination): string => {
  const sorted = findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
  const parts = Object.entries(report?.checks ?? {}).map(([part, { millis }]) => `${part} ${millis} ms`)
  return [
    ...sorted.map((found) => `${described(found)}\n`),
    ...(report === undefined ? [] : [plain(`${report.name} ${report.version}: ${parts.join(", ")}`)]),
    `${url}: ${order.map((severity) => `${count(findings, severity)} ${severity}s`).join(", ")}`
  ].join("\n")
}

/** Examines a server, prints what was found, and fails where there is an error. */
export const examined = Effect.fnUntraced(function* (url: URL, json: boolean) {
  const examination = yield* examine(url)
  yield* Console.log(json ? JSON.stringify(examination, undefined, 2) : text(examination))
  const errors = count(examination.findings, "error")
  if (errors > 0) return yield* new Unhealthy({ url: examination.url, errors })
})

const decodeUrl = Schema.decodeUnknownOption(Schema.URLFromString)

/** Says what is wrong with a running server, and how to mend it. */
export const doctor = Command.make(
  "doctor",
  {
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print the findings as JSON"), Flag.withDefault(false)),
    url: Argument.String("URL").pipe(
      Argument.withDescription("Address of the server, http://localhost:8788 unless it is given"),
      Argument.filterMap(
        (address) => Option.filter(decodeUrl(address), ({ protocol }) => /^https?:$/u.test(protocol)),
        (address) => `"${address}" is no http or https address`
      ),
      Argument.withDefault(new URL("http://localhost:8788"))
    )
  },
  ({ json, url }) => examined(url, json)
).pipe(
  Command.withDescription(
    "Look at a running server from outside, as its clients would: metadata, challenges, CORS, registration, PKCE, TLS, " +
      "clocks. Whoever has its STATE_SIGNING_KEYS in the environment or in .dev.vars also learns how Clerk and the " +
      "storage do from inside. Registers eight clients there, of which nothing stays but their registrations."
  ),
  Command.withShortDescription("Say what is wrong with a running server")
)
