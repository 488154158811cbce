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
    Effect.map(AppConfig, (config) => config.OAUTH_KV)
  )
}
