import * as Context from "effect/Context"

/** How much is kept for one user, in bytes. */
export interface Limits {
  /** The JSON of one value, in UTF-8. At most 1 MiB: a row of a Durable Object holds 2 MB. */
  readonly valueBytes: number
  /** All entries together: the JSON and the name of each, and 128 bytes for each, which bounds their number. */
  readonly userBytes: number
}

/** What a team may say of the store. */
export interface UserStoreOptions extends Limits {
  /** How many days after a user was deleted in Clerk the entries are erased. */
  readonly eraseAfterDays: number
}

export const defaultLimits: UserStoreOptions = { valueBytes: 64 * 1024, userBytes: 1024 * 1024, eraseAfterDays: 7 }

const largestValue = 1024 * 1024

/** The limits of a server: the default ones where a team says nothing else. */
export const limitsOf = (said: Partial<UserStoreOptions> = {}): UserStoreOptions => {
  const limits = { ...defaultLimits, ...said }
  return { ...limits, valueBytes: Math.min(limits.valueBytes, largestValue) }
}

/** The limits of the server that is running. */
export const UserStoreLimits = Context.Reference<UserStoreOptions>("capability/UserStoreLimits", {
  defaultValue: () => defaultLimits
})

/** A change of one entry. */
export interface Write {
  readonly name: string
  /** The JSON of the value; `null` removes the entry. */
  readonly value: string | null
  /** Makes the change only while the entry holds this JSON, or, with `null`, while there is no such entry. */
  readonly expected?: string | null
}

/** What became of a change. Nothing was changed unless it is `Done`. */
export type Written =
  | { readonly _tag: "Done" }
  /** The entry does not hold what was expected. */
  | { readonly _tag: "Changed" }
  | { readonly _tag: "TooLarge"; readonly bytes: number; readonly limit: number }
  | { readonly _tag: "Full"; readonly limit: number }

const utf8 = new TextEncoder()

const overhead = 128

/** What an entry counts as, in bytes. Names are ASCII. */
export const sizeOf = (name: string, value: string): number => name.length + utf8.encode(value).length + overhead

/** Whether a value may be stored at all, which can be told before it travels. */
export const tooLarge = ({ value }: Write, { valueBytes: limit }: Limits): Written | undefined => {
  const bytes = value === null ? 0 : utf8.encode(value).length
  return bytes > limit ? { _tag: "TooLarge", bytes, limit } : undefined
}

/**
 * What becomes of a change where the entry holds `current`, and all entries count as `total`. An entry that does not grow
 * is never refused for want of room: limits may be lowered.
 */
export const outcome = (write: Write, current: string | null, total: number, limits: Limits): Written => {
  const { name, value, expected } = write
  if (expected !== undefined && expected !== current) return { _tag: "Changed" }
  const refused = tooLarge(write, limits)
  if (refused !== undefined) return refused
  const growth = (value === null ? 0 : sizeOf(name, value)) - (current === null ? 0 : sizeOf(name, current))
  const limit = limits.userBytes
  return growth > 0 && total + growth > limit ? { _tag: "Full", limit } : { _tag: "Done" }
}

/** The entries of one user in memory, for tests. */
export class MemoryEntries {
  readonly #values = new Map<string, string>()

  read(name: string): string | null {
    return this.#values.get(name) ?? null
  }

  write(write: Write, limits: Limits): Written {
    const { name, value } = write
    const total = [...this.#values].reduce((sum, [name, value]) => sum + sizeOf(name, value), 0)
    const written = outcome(write, this.read(name), total, limits)
    if (written._tag !== "Done") return written
    if (value === null) this.#values.delete(name)
    else this.#values.set(name, value)
    return written
  }
}
