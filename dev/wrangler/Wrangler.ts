import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** What wrangler said when it failed, without its ornaments. */
export class WranglerFailed extends Schema.TaggedError<WranglerFailed>()("WranglerFailed", {
  command: Schema.String,
  output: Schema.String
}) {
  override get message(): string {
    return `wrangler ${this.command} failed: ${this.output}`
  }
}

const ornaments =
  /^(?:\s*|.*wrangler \d+\.\d+.*|[─\s]*|.*Logs were written to.*|If you think this is a bug.*|Note that there is a newer version.*)$/u

// oxlint-disable-next-line no-control-regex -- wrangler colours errors even where NO_COLOR is set
const colours = /\u001B\[[\d;]*m/gu

const plain = (output: string): string =>
  output
    .replaceAll(colours, "")
    .split("\n")
    .filter((line) => !ornaments.test(line))
    .map((line) => line.trim())
    .join("\n")

/** Runs `wrangler` without a terminal, so that it asks nothing, and gives what it printed. `input` goes to its stdin. */
export const wrangler = Effect.fnUntraced(function* (parameters: ReadonlyArray<string>, input?: string) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(
    ChildProcess.make("wrangler", parameters, {
      stdin: input === undefined ? "ignore" : Stream.make(new TextEncoder().encode(input)),
      env: { NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", CI: "1" },
      extendEnv: true
    })
  )
  const [printed, errors] = yield* Effect.all(
    [Stream.mkString(Stream.decodeText(child.stdout)), Stream.mkString(Stream.decodeText(child.stderr))],
    { concurrency: 2 }
  )
  const code = yield* child.exitCode
  if (code !== 0) {
    return yield* new WranglerFailed({
      command: parameters.slice(0, 3).join(" "),
      output: plain(`${errors}\n${printed}`)
    })
  }
  return printed
}, Effect.scoped)
