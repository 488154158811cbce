import { chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** What desktops call the program that opens an address. */
const openers = ["xdg-open", "open"]

/**
 * The home directory of somebody else's program. What the program opens in a browser is written to a file, from which
 * the person of a test takes it.
 */
export class Home {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<Home> {
    const path = await mkdtemp(join(tmpdir(), "home-"))
    const opener = `#!/bin/sh\nprintf %s "$1" > "${path}/opened.part" && mv "${path}/opened.part" "${path}/opened"\n`
    for (const name of openers) {
      await writeFile(join(path, name), opener)
      await chmod(join(path, name), 0o755)
    }
    return new Home(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }

  /** The environment in which this is home. */
  get env(): Readonly<Record<string, string>> {
    return {
      PATH: `${this.path}:${process.env["PATH"] ?? ""}`,
      // Programs that bring an xdg-open of their own: it asks this.
      BROWSER: join(this.path, "xdg-open"),
      HOME: this.path
    }
  }

  /** Waits for the next address that the program opens. Undefined: the program was `done` without. */
  async opened(done: Promise<unknown>): Promise<string | undefined> {
    const waiting = new AbortController()
    const stop = () => waiting.abort()
    done.then(stop, stop)
    const [opened, taken] = [join(this.path, "opened"), join(this.path, "taken")]
    while (!waiting.signal.aborted) {
      const address = await rename(opened, taken).then(
        () => readFile(taken, "utf8"),
        () => undefined
      )
      if (address !== undefined) return address
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return undefined
  }
}
