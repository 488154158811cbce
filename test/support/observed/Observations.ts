/** Who did something: the Worker, or the object of a user. On Cloudflare they may run at different locations. */
export type Doer = "worker" | "object"

/** One call of the KV namespace. Times are in milliseconds since 1970. */
export interface KvCall {
  readonly by: Doer
  readonly method: "get" | "put" | "delete" | "list"
  readonly key: string
  readonly at: number
}

/** One call of a Durable Object. */
export interface Hop {
  readonly by: Doer
  readonly method: string
}

/** One answer of the Worker. */
export interface Answer {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly retryAfter: string | null
}

/** Everything that happened since it was last forgotten. */
export interface Observations {
  readonly kv: ReadonlyArray<KvCall>
  readonly hops: ReadonlyArray<Hop>
  readonly answers: ReadonlyArray<Answer>
}

/** The calls of a user's object in the middle of which it can be replaced. */
export type Step = "admit" | "keep" | "post" | "token"

/**
 * When an object is replaced: before it does anything, when it has committed to its storage and nothing else, or when it
 * is done and its answer is not sent.
 */
export type Moment = "before" | "at the commit" | "after"

/** What is to go wrong from now on. What is not named stays as it is. */
export interface Orders {
  /** Whether each location goes on for 60 s with what it read of a key, also that there is nothing. */
  readonly stale?: boolean
  /** How many writes to KV fail from now on. */
  readonly failedWrites?: number
  /** The next object that gets to this point is replaced there. Null: none. */
  readonly replace?: { readonly step: Step; readonly moment: Moment } | null
  /** Forget what was observed. */
  readonly forget?: boolean
}
