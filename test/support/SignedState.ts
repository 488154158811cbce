import { createHmac } from "node:crypto"

import { signingKeys } from "./RunningServer.ts"

export interface Forgery {
  readonly keyId?: string
  /** In base64. */
  readonly key?: string
  readonly purpose?: string
  readonly expiresAt?: number
}

/** The three parts of a `state` as the server writes it. */
export const partsOf = (state: string): readonly [string, string, string] => {
  const [id = "", claims = "", tag = ""] = state.split(".")
  return [id, claims, tag]
}

/** The handle that a `state` carries, readable to whoever sees it. */
export const payloadOf = (state: string): string => {
  const claims = JSON.parse(Buffer.from(partsOf(state)[1], "base64url").toString()) as { readonly payload: string }
  return claims.payload
}

/** Signs like the server (HMAC-SHA256 over `keyId.claims`), with what an attacker, or an operator, might have. */
export const signState = (payload: string, forgery: Forgery = {}): string => {
  const { keyId = "now", key = signingKeys.now, purpose = "sign-in", expiresAt = Date.now() + 60_000 } = forgery
  const claims = Buffer.from(JSON.stringify({ purpose, expiresAt, payload })).toString("base64url")
  const tag = createHmac("sha256", Buffer.from(key, "base64")).update(`${keyId}.${claims}`).digest("base64url")
  return `${keyId}.${claims}.${tag}`
}
