import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { OAuthStorage } from "../oauth/OAuthStorage.ts"

interface Entry {
  readonly value: string
  readonly expiresAt: number
  readonly metadata: unknown
}

/** In milliseconds since 1970, by the clock that the OAuth library reads as well. */
const systemTime = () => Effect.runSync(Clock.currentTimeMillis)

/** One call of the store, with the names of its options. */
export interface KvCall {
  readonly method: "get" | "put" | "delete" | "list"
  readonly key: string
  readonly options: ReadonlyArray<string>
}

/** The options that the store knows: those the OAuth library is known to use. Any other is a failed test. */
const known: Readonly<Record<KvCall["method"], ReadonlyArray<string>>> = {
  get: ["type"],
  put: ["expirationTtl", "expiration", "metadata"],
  delete: [],
  list: ["prefix", "limit", "cursor"]
}

/**
 * A KV namespace in memory that keeps expiry and records its calls. It is stricter than KV: a method or an option
 * that is not listed above is refused, so that a change in what the library asks for shows itself.
 */
export class MemoryKv {
  readonly calls: Array<KvCall> = []
  /** Set it to make every call fail, as an outage of KV does. */
  outage = false
  /** Set it to make one call fail, so many calls from now: 1 is the next one. It is 0 once that call has come. */
  failsAt = 0
  /** The key of that call. */
  failedKey = ""
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number

  constructor(now: () => number = systemTime) {
    this.#now = now
  }

  /** The keys that have not expired, sorted. */
  get keys(): ReadonlyArray<string> {
    return [...this.#entries.keys()].filter((key) => this.#live(key) !== undefined).toSorted()
  }

  /** How many seconds a key has left. */
  secondsLeft(key: string): number | undefined {
    const entry = this.#live(key)
    return entry && (entry.expiresAt - this.#now()) / 1_000
  }

  /** Everything that is stored, as whoever can read the namespace sees it. */
  dump(): ReadonlyArray<readonly [key: string, value: string, metadata: unknown]> {
    return this.keys.map((key) => [key, this.#live(key)?.value ?? "", this.#live(key)?.metadata])
  }

  /** Stands in for the namespace. */
  get layer(): Layer.Layer<OAuthStorage> {
    const methods = {
      get: async (key: string, options?: string | Readonly<Record<string, unknown>>) => {
        this.#record("get", key, typeof options === "string" ? { type: options } : options)
        const value = this.#live(key)?.value
        if (value === undefined) return null
        const type = typeof options === "string" ? options : options?.["type"]
        return type === "json" ? (JSON.parse(value) as unknown) : value
      },
      put: async (key: string, value: string, options: Readonly<Record<string, unknown>> = {}) => {
        this.#record("put", key, options)
        const { expiration, expirationTtl, metadata } = options
        if (typeof expirationTtl === "number" && expirationTtl < 60) throw new Error("KV refuses less than 60 s")
        const expiresAt =
          typeof expirationTtl === "number"
            ? this.#now() + expirationTtl * 1_000
            : typeof expiration === "number"
              ? expiration * 1_000
              : Infinity
        this.#entries.set(key, { value, expiresAt, metadata })
      },
      delete: async (key: string) => {
        this.#record("delete", key)
        this.#entries.delete(key)
      },
      list: async (options: { readonly prefix?: string; readonly limit?: number; readonly cursor?: string } = {}) => {
        const { prefix = "", limit = 1_000, cursor } = options
        this.#record("list", prefix, options)
        const names = this.keys.filter((key) => key.startsWith(prefix) && (cursor === undefined || key > cursor))
        const keys = names.slice(0, limit).map((name) => ({ name, metadata: this.#live(name)?.metadata }))
        return names.length > limit
          ? { keys, list_complete: false, cursor: names[limit - 1] }
          : { keys, list_complete: true }
      }
    }
    const strict = new Proxy(methods, {
      get: (target, name): unknown => {
        if (name in target) return Reflect.get(target, name)
        throw new Error(`the OAuth library asked KV for ${String(name)}`)
      }
    })
    // A namespace has more overloads than anybody uses.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return Layer.succeed(OAuthStorage, strict as unknown as OAuthStorage["Service"])
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.expiresAt > this.#now() ? entry : undefined
  }

  #record(method: KvCall["method"], key: string, options: object = {}): void {
    const names = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [name]))
    const unknown = names.filter((name) => !known[method].includes(name))
    if (unknown.length > 0) throw new Error(`the OAuth library passed ${method} the option ${unknown.join(", ")}`)
    const fails = this.failsAt > 0 && --this.failsAt === 0
    if (fails) this.failedKey = key
    if (this.outage || fails) throw new Error("KV is down: internal detail")
    this.calls.push({ method, key, options: names })
  }
}
