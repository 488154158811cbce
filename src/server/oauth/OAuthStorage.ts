import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { AppConfig } from "../config/AppConfig.ts"

/**
 * The key-value store that the OAuth library sees: clients, grants, tokens by hash, and consent transactions. The
 * library uses these four methods of a KV namespace and no other.
 */
export class OAuthStorage extends Context.Service<OAuthStorage, Pick<KVNamespace, "get" | "put" | "delete" | "list">>()(
  "oauth/OAuthStorage"
) {
  /** The KV namespace bound as `OAUTH_KV`. */
  static readonly layer = Layer.effect(
    OAuthStorage,
    Effect.map(AppConfig, ({ OAUTH_KV: kv }) => knownKeys(kv))
  )
}

const utf8 = new TextEncoder()
/** The longest key that Workers KV takes, in bytes. It throws at a longer one. */
const longestKey = 512

/** Keys hold what clients send. Nothing is ever stored under one that is too long, so nothing is found there either. */
const knownKeys = (kv: KVNamespace): OAuthStorage["Service"] => {
  const get: (key: string, options: KVNamespaceGetOptions<"text">) => Promise<unknown> = (key, options) =>
    utf8.encode(key).length > longestKey ? Promise.resolve(null) : kv.get(key, options)
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- hands its arguments on, whichever overload they fit
    get: get as KVNamespace["get"],
    put: kv.put.bind(kv),
    delete: kv.delete.bind(kv),
    list: kv.list.bind(kv)
  }
}
