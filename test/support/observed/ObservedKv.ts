import type { Doer, KvCall } from "./Observations.ts"

/** Workers KV takes one write a second of a key, and a location may answer a minute with what it read before. */
const writeEvery = 1_000
const staleFor = 60_000

type Read = (key: string, options?: string | { readonly type?: string }) => Promise<unknown>

/**
 * A KV namespace as bad as Cloudflare says it may be: writes that fail, 429 for a second write of a key within a second,
 * and reads that are up to a minute old, those of keys that were missing included. Each location remembers by itself.
 */
export class ObservedKv {
  readonly calls: Array<KvCall> = []
  stale = false
  failedWrites = 0
  readonly #kv: KVNamespace
  readonly #written = new Map<string, number>()

  constructor(kv: KVNamespace) {
    this.#kv = kv
  }

  /** The namespace at a location. */
  at(by: Doer) {
    const read = new Map<string, { readonly value: string | null; readonly at: number }>()
    const get: Read = async (key, options) => {
      this.#record(by, "get", key)
      const known = this.stale ? read.get(key) : undefined
      const value = known !== undefined && Date.now() - known.at < staleFor ? known.value : await this.#kv.get(key)
      if (value !== known?.value || known === undefined) read.set(key, { value, at: Date.now() })
      const type = typeof options === "string" ? options : options?.type
      return value !== null && type === "json" ? (JSON.parse(value) as unknown) : value
    }
    return {
      get,
      put: async (key: string, value: string, options?: KVNamespacePutOptions) => {
        this.#write(by, "put", key)
        await this.#kv.put(key, value, options)
      },
      delete: async (key: string) => {
        this.#write(by, "delete", key)
        await this.#kv.delete(key)
      },
      list: async (options?: KVNamespaceListOptions) => {
        this.#record(by, "list", options?.prefix ?? "")
        return this.#kv.list(options)
      }
    }
  }

  #write(by: Doer, method: "put" | "delete", key: string): void {
    this.#record(by, method, key)
    if (this.failedWrites > 0) {
      this.failedWrites -= 1
      throw new Error("KV PUT failed: 500 internal detail")
    }
    const now = Date.now()
    const last = this.#written.get(key) ?? -Infinity
    if (now - last < writeEvery) throw new Error("KV PUT failed: 429 Too Many Requests")
    this.#written.set(key, now)
  }

  #record(by: Doer, method: KvCall["method"], key: string): void {
    this.calls.push({ by, method, key, at: Date.now() })
  }
}
