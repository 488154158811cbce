import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { join } from "node:path"

import { connect } from "../support/Connect.ts"
import { freePort } from "../support/FreePort.ts"
import { withServer } from "../support/LocalServer.ts"
import { OAuthClient } from "../support/OAuthClient.ts"
import { Person } from "../support/Person.ts"
import { startProxy } from "./Proxy.ts"

/** The suite printed what this program cannot read. */
class SuiteUnreadable extends Schema.TaggedError<SuiteUnreadable>()("SuiteUnreadable", { output: Schema.String }) {
  override get message(): string {
    return `The suite printed:\n${this.output}`
  }
}

/** How one requirement set went, as the suite scores it. */
export interface Score {
  readonly passed: number
  readonly required: number
  /** The suite's own lines about the scenarios that failed. */
  readonly failed: ReadonlyArray<string>
}

/** Every requirement set that this server is held to. */
export interface Report {
  readonly "2025-11-25": Score
  readonly "2026-07-28": Score
  readonly authorization: Score
}

/** How many scenarios each set has, all of which have to pass. A suite that runs fewer has not looked. */
export const expected: { readonly [Set in keyof Report]: number } = {
  "2025-11-25": 30,
  "2026-07-28": 37,
  authorization: 2
}

const email = "admin@example.com"

/** Runs the suite and hands each line of it to `onLine` as it comes. Returns all of them. */
const conformance = Effect.fnUntraced(function* (
  options: ReadonlyArray<string>,
  onLine: (line: string) => Effect.Effect<void> = () => Effect.void
) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const files = yield* FileSystem.FileSystem
  const results = yield* files.makeTempDirectoryScoped({ prefix: "conformance-" })
  const suite = yield* spawner.spawn(
    ChildProcess.make("conformance", [...options, `--output-dir=${results}`], { stdin: "ignore" })
  )
  return yield* suite.all.pipe(Stream.decodeText(), Stream.splitLines, Stream.tap(onLine), Stream.runCollect)
})

/** Reads the summary that the suite ends with: `✓ name: n passed, m failed`, and which of these do not count. */
const score = Effect.fnUntraced(function* (set: keyof Report, lines: ReadonlyArray<string>) {
  const summary = lines.slice(lines.findIndex((line) => line.includes("=== SUMMARY ===")))
  const total = summary.findIndex((line) => line.startsWith("Total:"))
  if (total < 0) return yield* new SuiteUnreadable({ output: lines.join("\n") })
  const unscored = new Set(summary.slice(total).flatMap((line) => /^\s+[✓✗] (\S+) \(/u.exec(line)?.[1] ?? []))
  const scored = summary
    .slice(0, total)
    .map((line) => /^([✓✗]) ([^:]+):/u.exec(line))
    .filter((match) => match !== null)
    .filter(([, , name = ""]) => !unscored.has(name))
  const failed = scored.filter(([, mark]) => mark === "✗")
  if (scored.length !== expected[set]) return yield* new SuiteUnreadable({ output: lines.join("\n") })
  return {
    passed: scored.length - failed.length,
    required: scored.length,
    failed: failed.map(({ input }) => input)
  } satisfies Score
})

/** The two scenarios of the authorization server. The suite prints an address, where a person has to go. */
const authorization = Effect.fnUntraced(function* (issuer: string, clerk: string) {
  const port = yield* Effect.promise(freePort)
  const redirectUris = [`http://127.0.0.1:${port}/callback`]
  const client = yield* Effect.promise(() => OAuthClient.register(`${issuer}/mcp`, { redirectUris }))
  const person = new Person({ url: issuer, clerk: { url: clerk } }, email)
  const options = [`--url=${issuer}`, `--client-id=${client.id}`, `--port=${port}`, `--resource=${client.resource}`]
  return yield* conformance(["authorization", ...options], (line) =>
    line.startsWith(`${issuer}/authorize?`)
      ? Effect.promise(async () => {
          await fetch(await person.authorize(line))
        })
      : Effect.void
  )
})

/**
 * Runs the official suite on the Worker's test entry, signed in as a real OAuth client is. Everything runs on ports and
 * in folders of its own.
 */
export const run = Effect.gen(function* () {
  const [publicPort, port] = [yield* Effect.promise(freePort), yield* Effect.promise(freePort)]
  const proxy = yield* startProxy(publicPort, port)
  const entry = join(import.meta.dirname, "worker.ts")
  return yield* withServer({ port, publicUrl: `http://localhost:${publicPort}`, entry }, (at) =>
    Effect.gen(function* () {
      const flow = yield* authorization(at.worker, at.clerk)
      yield* proxy.authorize(yield* Effect.promise(() => connect({ ...at, email })))
      const server = Effect.fnUntraced(function* (set: keyof Report) {
        return yield* score(set, yield* conformance(["server", `--url=${at.worker}/mcp`, `--requirements=${set}`]))
      })
      return {
        "2025-11-25": yield* server("2025-11-25"),
        "2026-07-28": yield* server("2026-07-28"),
        authorization: yield* score("authorization", flow)
      } satisfies Report
    })
  )
}).pipe(Effect.scoped)
