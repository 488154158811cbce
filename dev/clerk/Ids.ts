import * as Schema from "effect/Schema"
import { createHash, randomBytes } from "node:crypto"

export const UserId = Schema.String.pipe(Schema.brand("clerk-stand-in/UserId"))
export type UserId = typeof UserId.Type

export const SessionId = Schema.String.pipe(Schema.brand("clerk-stand-in/SessionId"))
export type SessionId = typeof SessionId.Type

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const toBase62 = (bytes: Uint8Array): string => Array.from(bytes, (byte) => base62[byte % base62.length]).join("")

/** A fresh identifier in Clerk's shape: the prefix and 27 base62 characters. */
export const randomId = (prefix: string): string => `${prefix}_${toBase62(randomBytes(27))}`

/** The same shape derived from a name, so that it does not change between starts. */
export const stableId = (prefix: string, name: string): string =>
  `${prefix}_${toBase62(createHash("sha256").update(`${prefix}:${name}`).digest().subarray(0, 27))}`

/** A random value of the given length in base62, for secrets and opaque tokens. */
export const randomSecret = (length: number): string => toBase62(randomBytes(length))
