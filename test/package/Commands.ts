import { assert } from "@effect/vitest"
import { spawn } from "node:child_process"
import { delimiter } from "node:path"
import process from "node:process"

/** The environment of somebody who has npm and the machine's own Node, and never heard of this repository. */
const environment = (() => {
  const foreign = /^(?:npm_(?:package|lifecycle|config_local_prefix|command)|VITEST|NODE_ENV|NODE_PATH|INIT_CWD|TEST)/u
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"))
  return {
    ...Object.fromEntries(own),
    PATH: path.join(delimiter),
    NO_COLOR: "1",
    CI: "1",
    WRANGLER_SEND_METRICS: "false"
  }
})()

/** A command that runs until it is stopped, as Ctrl-C stops it: with all that it started. */
export class Running {
  printed = ""
  readonly exit: Promise<number>
  readonly #child

  constructor(cwd: string, [command = "", ...parameters]: ReadonlyArray<string>) {
    this.#child = spawn(command, parameters, {
      cwd,
      env: environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on("data", (text: Buffer) => (this.printed += text.toString()))
    }
    this.exit = new Promise((resolve) => this.#child.once("close", (code) => resolve(code ?? -1)))
  }

  async prints(words: string): Promise<void> {
    let ended = false
    const end = this.exit.then(() => (ended = true))
    while (!this.printed.includes(words)) {
      if (ended) throw new Error(this.printed)
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 100))])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) process.kill(-(this.#child.pid ?? 0), "SIGINT")
    await this.exit
  }
}

/** A command that ends well, and all that it printed. */
export const run = async (cwd: string, ...command: ReadonlyArray<string>): Promise<string> => {
  const running = new Running(cwd, command)
  assert.strictEqual(await running.exit, 0, running.printed)
  return running.printed
}
