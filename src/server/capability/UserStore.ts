import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { CurrentPrincipal, type UserId } from "../domain/Principal.ts"
import { MemoryEntries, UserStoreLimits, type Write, type Written } from "./UserStoreWrite.ts"

/** The user's object was not reached. A write that failed so may have been made all the same. */
class UserStoreUnavailable extends Schema.TaggedError<UserStoreUnavailable>()("UserStoreUnavailable", {}) {
  override readonly message = "What is stored for you cannot be reached right now. Please try again in a moment."
}

/** The value is longer than a value may be. Nothing was changed. */
class ValueTooLarge extends Schema.TaggedError<ValueTooLarge>()("ValueTooLarge", {
  entry: Schema.String,
  /** As JSON in UTF-8. */
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `“${this.entry}” would take ${this.bytes} bytes, and may take ${this.limit}. Nothing was changed.`
  }
}

/** All that is stored for the user would be more than it may be. Nothing was changed. */
class UserStoreFull extends Schema.TaggedError<UserStoreFull>()("UserStoreFull", {
  entry: Schema.String,
  /** Of all entries together. */
  limit: Schema.Int
}) {
  override get message(): string {
    return `There is no room for “${this.entry}”: all that is stored for you may take ${this.limit} bytes. Nothing was changed.`
  }
}

/** What is stored was written with another schema. It stays until it is set or removed. */
class ValueUndecodable extends Schema.TaggedError<ValueUndecodable>()("ValueUndecodable", { entry: Schema.String }) {
  override get message(): string {
    return `What is stored as “${this.entry}” cannot be read by this version of the server.`
  }
}

/** Others changed the entry at each attempt to modify it. Nothing was changed. */
class ModifyConflict extends Schema.TaggedError<ModifyConflict>()("ModifyConflict", { entry: Schema.String }) {
  override get message(): string {
    return `“${this.entry}” is being changed by too many at once. Please try again in a moment.`
  }
}

/** Why an entry was not read or written. It repeats nothing of what is stored. */
export class UserStoreError extends Schema.TaggedError<UserStoreError>()("UserStoreError", {
  reason: Schema.Union([UserStoreUnavailable, ValueTooLarge, UserStoreFull, ValueUndecodable, ModifyConflict])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** The user's object was not reached. */
export const unavailable = new UserStoreError({ reason: new UserStoreUnavailable() })

type Stored<A> = Effect.Effect<A, UserStoreError, UserStore | CurrentPrincipal>

/** One value that is stored for each user, under a name. */
export interface Entry<A> {
  readonly name: string
  /** The value of the user who called; none if there is no such entry. */
  readonly get: Stored<Option.Option<A>>
  readonly set: (value: A) => Stored<void>
  /**
   * Replaces the value by one that is made from it, and answers what goes with it: `[answer, next]`. No other change
   * comes between. `change` is pure: it is called again where another change was first.
   */
  readonly modify: <B>(change: (current: Option.Option<A>) => readonly [answer: B, next: A]) => Stored<B>
  /** Of an entry that is not there, too. */
  readonly remove: Stored<void>
}

const decodeName = Schema.decodeUnknownSync(Schema.String.check(Schema.isPattern(/^[\w.:-]{1,64}$/u)))

/** How often a change is tried that others keep getting ahead of. */
const retries = 16

/** A random part of an exponential backoff: those who met once do not meet again (full jitter). */
const pauses = Schedule.exponential("20 millis", 1.7).pipe(
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (part) => Duration.times(Duration.min(duration, Duration.seconds(1)), part))
  )
)

/**
 * A small amount of data for each user: preferences, a cursor, a list. It lives in the user's Durable Object, so that
 * requests with and without a session, wherever they are served, see one value; it is erased some days after the user
 * was deleted in Clerk. Declare an entry once, and use it in tools, resources and prompts:
 *
 *     const Preferences = UserStore.entry("preferences", Schema.Struct({ language: Schema.String }))
 */
export class UserStore extends Context.Service<
  UserStore,
  {
    /** The JSON of an entry, `null` if there is none. */
    readonly read: (name: string) => Effect.Effect<string | null, UserStoreError, CurrentPrincipal>
    readonly write: (write: Write) => Effect.Effect<Written, UserStoreError, CurrentPrincipal>
  }
>()("capability/UserStore") {
  /**
   * Declares an entry. The name, 1 to 64 letters, digits and `_.:-`, is what the value is found by: two entries do not
   * share one. The value is kept as the JSON that `schema` makes of it (`Schema.toCodecJson`), at most 64 KiB of it, and
   * 1 MiB for all entries of a user, unless the server's definition says otherwise (`userStore`).
   *
   * A later version of `schema` has to read what earlier ones wrote: give new fields a decoding default. What it cannot
   * read fails as `ValueUndecodable`.
   */
  static readonly entry = <A, I>(name: string, schema: Schema.Codec<A, I>): Entry<A> => {
    const entry = decodeName(name)
    const json = Schema.fromJsonString(Schema.toCodecJson(schema))
    const failed = (reason: UserStoreError["reason"]) => new UserStoreError({ reason })
    const decodeJson = Schema.decodeEffect(json)
    const encodeJson = Schema.encodeEffect(json)

    const decode = (value: string | null) =>
      value === null
        ? Effect.succeedNone
        : Effect.asSome(Effect.mapError(decodeJson(value), () => failed(new ValueUndecodable({ entry }))))

    /** The error of a schema repeats the value, which has no place in a log. */
    const encode = (value: A) =>
      Effect.catchTag(encodeJson(value), "SchemaError", () =>
        Effect.die(new TypeError(`not a value of the schema of ${entry}`))
      )

    const write = Effect.fnUntraced(function* (write: Omit<Write, "name">) {
      const written = yield* (yield* UserStore).write({ ...write, name: entry })
      switch (written._tag) {
        case "Done":
          return
        case "Changed":
          return yield* failed(new ModifyConflict({ entry }))
        case "TooLarge":
          return yield* failed(new ValueTooLarge({ entry, bytes: written.bytes, limit: written.limit }))
        case "Full":
          return yield* failed(new UserStoreFull({ entry, limit: written.limit }))
      }
    })

    const read = Effect.flatMap(UserStore, (store) => store.read(entry))

    return {
      name: entry,
      get: Effect.flatMap(read, decode).pipe(Effect.withSpan("UserStore.get")),
      set: Effect.fn("UserStore.set")((value) => Effect.flatMap(encode(value), (value) => write({ value }))),
      modify: Effect.fn("UserStore.modify")(
        function* (change) {
          const expected = yield* read
          const [answer, next] = change(yield* decode(expected))
          const value = yield* encode(next)
          if (value !== expected) yield* write({ value, expected })
          return answer
        },
        Effect.retry({ while: ({ reason }) => reason._tag === "ModifyConflict", times: retries, schedule: pauses })
      ),
      remove: write({ value: null }).pipe(Effect.withSpan("UserStore.remove"))
    }
  }

  /** Keeps the entries of every user in memory, within the same limits: for tests. */
  static readonly layerMemory = Layer.sync(UserStore, () => {
    const users = new Map<UserId, MemoryEntries>()
    const entries = Effect.map(CurrentPrincipal, ({ userId }) => {
      const held = users.get(userId) ?? new MemoryEntries()
      users.set(userId, held)
      return held
    })
    return UserStore.of({
      read: (name) => Effect.map(entries, (held) => held.read(name)),
      write: (write) =>
        Effect.map(Effect.all([entries, UserStoreLimits]), ([held, limits]) => held.write(write, limits))
    })
  })
}
