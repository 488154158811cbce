/**
 * The Workers that a workerd test talks to, each an isolate of its own, by the address that chooses it. They all see
 * the public address, and share one KV namespace: a token of one is good at the others, which have asked Clerk nothing.
 */
export const places = {
  /** The Worker as it is deployed. It is the application's public address. */
  app: "http://localhost:8788",
  /** The same Worker in a second isolate. */
  otherIsolate: "http://localhost:8789",
  /** The Worker with an image model that only waits, see `WaitingModel.ts`. */
  waitingModel: "http://localhost:8790",
  /** The Worker before anybody set it up. */
  notSetUp: "http://localhost:8791",
  /** The Worker with the rate limits that are in `wrangler.jsonc`. */
  limited: "http://localhost:8792",
  /** The Worker for clients only that are known by their published documents. */
  publishedOnly: "http://localhost:8793"
} as const

export type Place = keyof typeof places

/** Names the address that a request comes from: `cf-connecting-ip`, which workerd lets no Worker send. */
export const fromAddress = "x-test-from-address"

/** Where clients of the tests publish what they are, see `Internet.ts`. */
export const publisher = "https://apps.example"
