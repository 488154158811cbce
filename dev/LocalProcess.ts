import * as CliError from "effect/cli/CliError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export class ProcessStopped extends Schema.TaggedError<ProcessStopped>()("ProcessStopped", {
  name: Schema.String,
  exitCode: Schema.Finite,
  output: Schema.String
}) {
  override get message(): string {
    return `${this.name} stopped with exit code ${this.exitCode}.\n${this.output}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** The process runs, and does not answer as it should: it fails while it is loaded, or takes too long. */
export class ProcessSilent extends Schema.TaggedError<ProcessSilent>()("ProcessSilent", {
  name: Schema.String,
  output: Schema.String
}) {
  override get message(): string {
    return `${this.name} does not answer.\n${this.output}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

export interface LocalProcessOptions<A, E, R> {
  /** As messages call it. */
  readonly name: string
  readonly command: ChildProcess.Command
  /** Succeeds once the process can be used; tried again until then. */
  readonly answers: Effect.Effect<A, E, R>
  /** Whether a line of its log is worth a person's attention. */
  readonly worthPrinting: (line: string) => boolean
}

/** Runs a server as long as the scope lives, and waits until it answers, and with what. */
export const startProcess = Effect.fnUntraced(function* <A, E, R>(options: LocalProcessOptions<A, E, R>) {
  const { name, command, answers, worthPrinting } = options
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(command)
  // What it says while it starts matters only if it does not.
  let whileStarting: Array<string> | undefined = []
  yield* child.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => {
      if (whileStarting === undefined) return worthPrinting(line) ? Console.log(line) : Effect.void
      return Effect.sync(() => whileStarting?.push(line))
    }),
    Effect.forkScoped
  )
  const stopped = Effect.flatMap(
    child.exitCode,
    (exitCode) => new ProcessStopped({ name, exitCode, output: whileStarting?.join("\n") ?? "" })
  )
  const answer = yield* Effect.raceFirst(Effect.retry(answers, Schedule.spaced("200 millis")), stopped).pipe(
    Effect.timeoutOrElse({
      duration: "90 seconds",
      orElse: () => Effect.fail(new ProcessSilent({ name, output: whileStarting?.join("\n") ?? "" }))
    })
  )
  whileStarting = undefined
  return { answer, stopped }
})
