import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { differences } from "../policy/Differences.ts"
import { type Entry, entriesOf, parse, print } from "../policy/Lock.ts"
import { describeEntry } from "../TeamEntry.ts"

const file = "policy.lock"
const howToWrite = `To accept this, write ${file} anew: npm run policy -- --write`

class LockDiffers extends Schema.TaggedError<LockDiffers>()("LockDiffers", {
  differences: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${file} says something else than the catalogue:\n\n${this.differences.map((each) => `  ${each}\n`).join("")}\n${howToWrite}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

class LockMissing extends Schema.TaggedError<LockMissing>()("LockMissing", {}) {
  override readonly message = `${file} is not here. ${howToWrite}`
  override get [CliError.userMessage](): string {
    return this.message
  }
}

class LockUnreadable extends Schema.TaggedError<LockUnreadable>()("LockUnreadable", {
  line: Schema.Int,
  text: Schema.String
}) {
  override get message(): string {
    return `${file} cannot be read from line ${this.line} on: ${this.text}\n${howToWrite}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

class FlagsExclude extends Schema.TaggedError<FlagsExclude>()("FlagsExclude", {}) {
  override readonly message = "--check and --write exclude each other."
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** Fails with what became different since the text of the file was written. */
const check = Effect.fnUntraced(function* (text: string, now: ReadonlyArray<Entry>) {
  const before = parse(text)
  if ("line" in before) return yield* new LockUnreadable(before)
  const found = differences(before, now)
  if (found.length > 0) return yield* new LockDiffers({ differences: found })
  // What follows from the policies stands there too, and so do two entries of one name after a merge.
  if (text.replaceAll("\r\n", "\n") !== print(now))
    return yield* new LockDiffers({ differences: ["no policy and no schema: only how it is written"] })
})

/** Compares `policy.lock` with the catalogue of an entry, or writes it. */
export const policy = Command.make(
  "policy",
  {
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Fail where the file is not current, which is the default"),
      Flag.withDefault(false)
    ),
    write: Flag.Boolean("write").pipe(Flag.withDescription("Write the file"), Flag.withDefault(false)),
    entry: Argument.String("ENTRY").pipe(
      Argument.withDescription("The module that exports the server, src/worker.ts unless it is given"),
      Argument.variadic({ max: 1 })
    )
  },
  Effect.fnUntraced(function* ({ check: mustCheck, entry: [entry = "src/worker.ts"], write }) {
    if (mustCheck && write) return yield* new FlagsExclude()
    const files = yield* FileSystem.FileSystem
    const now = entriesOf(yield* describeEntry(entry))
    const text = (yield* files.exists(file)) ? yield* files.readFileString(file) : undefined
    if (!write) {
      if (text === undefined) return yield* new LockMissing()
      yield* check(text, now)
      return yield* Console.log(`${file} is current.`)
    }
    const before = parse(text ?? "")
    const told = "line" in before ? [] : differences(before, now)
    yield* files.writeFileString(file, print(now))
    return yield* Console.log([`${file} is written.`, ...told.map((each) => `  ${each}`)].join("\n"))
  })
).pipe(Command.withDescription("Compare policy.lock with what clients can use, and who may, or write it"))
