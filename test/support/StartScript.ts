import { spawn } from "node:child_process"
import { join } from "node:path"
import process from "node:process"

const root = join(import.meta.dirname, "../..")

/** `npm start` with these flags: all that it prints, and how it ends. */
export class StartScript {
  readonly #child
  readonly #exit: Promise<number>
  #printed = ""

  constructor(...flags: ReadonlyArray<string>) {
    this.#child = spawn(process.execPath, ["dev/cli.ts", "start", ...flags], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`, NO_COLOR: "1" }
    })
    const keep = (text: Buffer) => {
      this.#printed += text.toString()
    }
    this.#child.stdout.on("data", keep)
    this.#child.stderr.on("data", keep)
    this.#exit = new Promise((resolve) => this.#child.once("close", (code) => resolve(code ?? -1)))
  }

  get printed(): string {
    return this.#printed
  }

  /** Its exit code, once it has ended by itself. */
  get exit(): Promise<number> {
    return this.#exit
  }

  /** Waits until it has said how to connect. */
  async ready(): Promise<void> {
    let ended = false
    const end = this.#exit.then(() => (ended = true))
    while (!this.#printed.includes("Ctrl-C stops")) {
      if (ended) throw new Error(this.#printed)
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 100))])
    }
  }

  /** Stops it as Ctrl-C does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGINT")
    await this.#exit
  }
}
