import { createHmac } from "node:crypto"

import { signingKeys } from "./RunningServer.ts"

export interface Forgery {
  readonly alg?: string
  readonly keyId?: string
  /** In base64. */
  readonly key?: string
  readonly purpose?: string
  readonly expiresAt?: number
}

/** The three parts of a `state` as the server writes it. */
export const partsOf = (state: string): readonly [string, string, string] => {
  const [header = "", claims = "", tag = ""] = state.split(".")
  return [header, claims, tag]
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url")

/** The handle that a `state` carries, readable to whoever sees it. */
export const payloadOf = (state: string): string => {
  const claims = JSON.parse(Buffer.from(partsOf(state)[1], "base64url").toString()) as { readonly payload: string }
  return claims.payload
}

/** Signs like the server (a JWS with HS256), with what an attacker, or an operator, might have. `expiresAt`: in ms. */
export const signState = (payload: string, forgery: Forgery = {}): string => {
  const { alg = "HS256", keyId = "now", key = signingKeys.now } = forgery
  const { purpose = "sign-in", expiresAt = Date.now() + 60_000 } = forgery
  const head = encode({ alg, kid: keyId, typ: `${purpose}+jwt` })
  const input = `${head}.${encode({ payload, exp: Math.floor(expiresAt / 1_000) })}`
  return `${input}.${createHmac("sha256", Buffer.from(key, "base64")).update(input).digest("base64url")}`
}
