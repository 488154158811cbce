import { execFile } from "node:child_process"
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import type { Choice, Person } from "./Person.ts"

const program = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

/** What the program printed, and how it ended. */
export interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/**
 * The MCP Inspector's command line, with a home of its own. What it opens in the browser is written to a file, from
 * which the person of a test takes it.
 */
export class InspectorCli {
  readonly #mcp: string
  readonly #home: string

  private constructor(mcp: string, home: string) {
    this.#mcp = mcp
    this.#home = home
  }

  static async make(mcp: string): Promise<InspectorCli> {
    const home = await mkdtemp(join(tmpdir(), "inspector-"))
    const browser = join(home, "xdg-open")
    await writeFile(
      browser,
      `#!/bin/sh\nprintf %s "$1" > "${home}/opened.part" && mv "${home}/opened.part" "${home}/opened"\n`
    )
    await chmod(browser, 0o755)
    return new InspectorCli(mcp, home)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home, { recursive: true, force: true })
  }

  run(...args: ReadonlyArray<string>): Promise<Run> {
    const all = [program, "--cli", this.#mcp, "--transport", "http", "--format", "json", ...args]
    const env = {
      PATH: `${this.#home}:${process.env["PATH"] ?? ""}`,
      // The program brings its own xdg-open, which asks these.
      BROWSER: join(this.#home, "xdg-open"),
      // Without a terminal, the program signs nobody in unless it is told that it may.
      MCP_AUTO_OPEN_ENABLED: "true",
      HOME: this.#home,
      MCP_STORAGE_DIR: join(this.#home, "storage")
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
    const opened = await Promise.race([this.#opened(), running])
    if (typeof opened !== "string") return opened
    await fetch(await person.authorize(opened, choice))
    return running
  }

  async #opened(): Promise<string> {
    for (;;) {
      const address = await readFile(join(this.#home, "opened"), "utf8").catch(() => undefined)
      if (address !== undefined) return address
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
