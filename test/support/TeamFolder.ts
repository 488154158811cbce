import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

const root = join(import.meta.dirname, "../..")

const PATH = `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`

/** The environment of somebody who has not set anything yet. */
const bare = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(?:CLERK_|CLOUDFLARE_|PUBLIC_URL|SIGN_IN|APP_URL|NODE_ENV|VITEST|TEST)/u.test(name)
  )
)

/** What is installed, but for the library, and for what tools keep there from run to run. */
const shared = (name: string) => name !== "clerk-mcp-worker" && (name === ".bin" || !name.startsWith("."))

export interface Ended {
  readonly code: number | null
  readonly said: string
}

/** A folder that `clerk-mcp init` made, with what `npm install` would put there. */
export class TeamFolder {
  readonly path: string
  readonly #home: string
  readonly #running = new Set<() => void>()
  #killAt: string | undefined

  private constructor(home: string) {
    this.#home = home
    this.path = join(home, "acme")
  }

  static async make(): Promise<TeamFolder> {
    const folder = new TeamFolder(mkdtempSync(join(tmpdir(), "clerk-mcp-team-")))
    const { code, said } = await folder.#spawn(["init", "acme"], folder.#home, {})
    if (code !== 0) throw new Error(said)
    const modules = join(folder.path, "node_modules")
    const library = join(modules, "clerk-mcp-worker")
    mkdirSync(library, { recursive: true })
    for (const name of readdirSync(join(root, "node_modules")).filter(shared)) {
      symlinkSync(join(root, "node_modules", name), join(modules, name))
    }
    symlinkSync(join(root, "src"), join(library, "src"))
    const exports = { ".": "./src/server/index.ts", "./worker": "./src/server/Worker.ts" }
    writeFileSync(join(library, "package.json"), JSON.stringify({ name: "clerk-mcp-worker", type: "module", exports }))
    return folder
  }

  /** `clerk-mcp` with these words and variables. */
  run(words: ReadonlyArray<string>, variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.#spawn(words, this.path, variables)
  }

  /** Ends everything that runs, at once and without a chance to tidy up. */
  kill(): void {
    for (const end of this.#running) end()
  }

  /** Ends the next one that runs in the same way, once it has said this. */
  killWhenSaid(words: string): void {
    this.#killAt = words
  }

  text(file: string): string {
    return readFileSync(join(this.path, file), "utf8")
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.path, file), text)
  }

  /** Every file of the server and what it holds, but for what is installed. */
  files(): Readonly<Record<string, string>> {
    const entries = readdirSync(this.path, { recursive: true, withFileTypes: true })
    const own = entries.filter((one) => one.isFile() && !one.parentPath.includes("node_modules"))
    return Object.fromEntries(
      own.map(({ name, parentPath }) => {
        const file = join(parentPath, name)
        return [file.slice(this.path.length + 1), readFileSync(file, "utf8")]
      })
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    rmSync(this.#home, { recursive: true, force: true })
    await Promise.resolve()
  }

  /** `clerk-mcp` with these words at a terminal: types each answer once its question was asked. */
  atTerminal(
    words: ReadonlyArray<string>,
    variables: Readonly<Record<string, string>>,
    answers: ReadonlyArray<readonly [question: string, answer: string]>
  ): Promise<string> {
    const command = [process.execPath, join(root, "dev/cli.ts"), ...words].join(" ")
    const env = { ...bare, PATH, TERM: "xterm", ...variables }
    const child = spawn("script", ["-qec", command, "/dev/null"], { cwd: this.path, env })
    const waiting = [...answers]
    let said = ""
    let answered = 0
    child.stdout.on("data", (text: Buffer) => {
      said += text.toString()
      const [next] = waiting
      if (next === undefined || !said.slice(answered).includes(next[0])) return
      waiting.shift()
      answered = said.length
      child.stdin.write(next[1])
    })
    return new Promise((resolve) => child.once("close", () => resolve(said)))
  }

  #spawn(words: ReadonlyArray<string>, cwd: string, variables: Readonly<Record<string, string>>): Promise<Ended> {
    const child = spawn(process.execPath, [join(root, "dev/cli.ts"), ...words], {
      cwd,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...bare, PATH, NO_COLOR: "1", ...variables }
    })
    // With all that it started.
    const end = () => process.kill(-(child.pid ?? 0), "SIGKILL")
    let said = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => {
        said += text.toString()
        if (this.#killAt === undefined || !said.includes(this.#killAt)) return
        this.#killAt = undefined
        end()
      })
    }
    this.#running.add(end)
    return new Promise((resolve) =>
      child.once("close", (code) => {
        this.#running.delete(end)
        resolve({ code, said })
      })
    )
  }
}
