import { execFile } from "node:child_process"
import { join } from "node:path"

import { freePort } from "./FreePort.ts"
import { Home } from "./Home.ts"
import type { Choice, Person } from "./Person.ts"

const program = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

/** What the program printed, and how it ended. */
export interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The MCP Inspector's command line, with a home of its own. */
export class InspectorCli {
  readonly #target: ReadonlyArray<string>
  readonly #home: Home

  private constructor(target: ReadonlyArray<string>, home: Home) {
    this.#target = target
    this.#home = home
  }

  static async make(address: string, transport: "http" | "sse" = "http"): Promise<InspectorCli> {
    return new InspectorCli([address, "--transport", transport], await Home.make())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#home[Symbol.asyncDispose]()
  }

  run(...args: ReadonlyArray<string>): Promise<Run> {
    const all = [program, "--cli", ...this.#target, "--format", "json", ...args]
    const env = {
      ...this.#home.env,
      // Without a terminal, the program signs nobody in unless it is told that it may.
      MCP_AUTO_OPEN_ENABLED: "true",
      MCP_STORAGE_DIR: join(this.#home.path, "storage")
    }
    return new Promise((resolve) => {
      const child = execFile(process.execPath, all, { env, timeout: 25_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        resolve({ code, stdout, stderr })
      })
      child.stdin?.end()
    })
  }

  /** Runs it without a token: it registers, opens a browser and waits for the person to come back. */
  async runSigningIn(person: Person, choice: Choice, ...args: ReadonlyArray<string>): Promise<Run> {
    const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`
    const running = this.run("--callback-url", callback, ...args)
    const opened = await this.#home.opened(running)
    if (opened !== undefined) await fetch(await person.authorize(opened, choice))
    return running
  }
}
