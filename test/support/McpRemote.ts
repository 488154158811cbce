import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"

import { freePort } from "./FreePort.ts"
import { Home } from "./Home.ts"
import type { Choice, Person } from "./Person.ts"

const program = "node_modules/mcp-remote/dist/proxy.js"

/** A host of MCP servers that knows commands only, and mcp-remote, by which it reaches one on the network. */
export class McpRemote {
  readonly #command: ReadonlyArray<string>
  readonly #home: Home
  readonly #clients: Array<Client> = []
  /** What was opened in the browser so far. */
  readonly opened: Array<string> = []

  private constructor(command: ReadonlyArray<string>, home: Home) {
    this.#command = command
    this.#home = home
  }

  static async make(
    address: string,
    transport: "http-only" | "sse-only",
    ...more: ReadonlyArray<string>
  ): Promise<McpRemote> {
    // Of its own accord it takes another port where its first choice is taken, and has to register again for that.
    return new McpRemote(
      [program, address, `${await freePort()}`, "--transport", transport, ...more],
      await Home.make()
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.#home[Symbol.asyncDispose]()
  }

  /** Starts the command and introduces the client to it; the person signs in when a browser is opened. */
  async connect(client: Client, person: Person, choice?: Choice): Promise<void> {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [...this.#command],
      env: { ...this.#home.env, MCP_REMOTE_CONFIG_DIR: this.#config },
      stderr: "pipe"
    })
    this.#clients.push(client)
    let said = ""
    transport.stderr?.on("data", (text: Buffer) => {
      said += text.toString()
    })
    const connected = client.connect(transport).catch((cause: unknown) => {
      throw new Error(said, { cause })
    })
    const opened = await this.#home.opened(connected)
    if (opened !== undefined) {
      this.opened.push(opened)
      await fetch(await person.authorize(opened, choice))
    }
    await connected
  }

  /** Loses its tokens, and keeps the registration. */
  async forgetTokens(): Promise<void> {
    const files = await readdir(this.#config, { recursive: true })
    const tokens = files.filter((file) => file.endsWith("_tokens.json"))
    if (tokens.length !== 1) throw new Error(`expected one file of tokens among ${files.join(", ")}`)
    await Promise.all(tokens.map((file) => rm(join(this.#config, file))))
  }

  get #config(): string {
    return join(this.#home.path, "config")
  }
}
