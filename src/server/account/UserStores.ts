import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { unavailable, UserStore } from "../capability/UserStore.ts"
import { tooLarge, UserStoreLimits } from "../capability/UserStoreWrite.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import { type AccountStub, AccountStubs, type AccountUnavailable, backoff } from "./AccountStub.ts"
import { UserEntries } from "./UserEntries.ts"

/** Inside the object, where its sessions are served: no network. */
export const inObject = Layer.effect(UserStore, UserEntries)

/**
 * In the Worker, where requests without a session are served. A read is tried again where the object is being replaced; a
 * write is not: it may have been made, and would undo what came after it.
 */
export const ofAccounts = Layer.effect(
  UserStore,
  Effect.map(AccountStubs, (accounts) => {
    const ask = <A>(question: (account: AccountStub) => Effect.Effect<A, AccountUnavailable>) =>
      Effect.flatMap(CurrentPrincipal, ({ userId }) => question(accounts.forUser(userId))).pipe(
        Effect.catchTag("AccountUnavailable", (failure) =>
          Effect.andThen(Incident.note("What is stored for a user was not reached", failure), Effect.fail(unavailable))
        )
      )
    return UserStore.of({
      read: (name) =>
        ask((account) =>
          Effect.retry(account.readEntry(name), {
            while: ({ overloaded }) => !overloaded,
            times: 2,
            schedule: backoff
          })
        ),
      write: (write) =>
        Effect.flatMap(UserStoreLimits, (limits) => {
          const refused = tooLarge(write, limits)
          return refused === undefined ? ask((account) => account.writeEntry(write)) : Effect.succeed(refused)
        })
    })
  })
)
