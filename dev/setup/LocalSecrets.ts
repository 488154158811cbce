import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import { devVars, envFile } from "../DevVars.ts"
import { writeText } from "../wrangler/ConfigFile.ts"
import { Stopped } from "../Stopped.ts"

const git = Effect.fnUntraced(function* (parameters: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(
    ChildProcess.make("git", parameters, { stdin: "ignore", stdout: "ignore", stderr: "ignore" })
  )
  return yield* child.exitCode
}, Effect.scoped)

/** Fails where git would see the file. Without git, or outside of a repository, nobody does. */
export const requireIgnored = Effect.fnUntraced(function* (file: string) {
  // 0: ignored; 1: not ignored, or tracked; 128: no repository.
  const answer = yield* Effect.orElseSucceed(git(["check-ignore", "--quiet", file]), () => 128)
  if (answer !== 1) return
  return yield* new Stopped({
    problem: `git would see ${file}, into which the secrets go. Nothing was written into it.`,
    next: `add the line ${file} to .gitignore (git rm --cached ${file} if it was committed, and replace what stands in it), and run setup again.`
  })
})

/** The settings of the environment `local`, and the file that wrangler reads them from. */
export const readLocal = Effect.map(devVars("."), ({ entries, file = ".dev.vars" }) => ({
  file,
  entries: Object.fromEntries(
    Object.entries(entries).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  )
}))

const lineOf = (name: string) => new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=.*$`, "mu")

/** Puts entries into the file, each in the place of the one that is there, and leaves all else as it is. */
export const writeLocal = Effect.fnUntraced(function* (file: string, entries: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const before = (yield* files.exists(file)) ? yield* files.readFileString(file) : ""
  const after = Object.entries(entries).reduce((text, [name, value]) => {
    const line = envFile({ [name]: value }).trimEnd()
    if (lineOf(name).test(text)) return text.replace(lineOf(name), () => line)
    return `${text === "" || text.endsWith("\n") ? text : `${text}\n`}${line}\n`
  }, before)
  return yield* writeText(file, after, 0o600)
})
