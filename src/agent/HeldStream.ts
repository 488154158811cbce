import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type { AgentUnavailable } from "./AccountAgents.ts"
import { Frame, retryAfter } from "./Session.ts"

/** Proxies drop a connection that is silent for longer, and a client that has left shows when something is written. */
const keepAliveEvery = "15 seconds"
const backoff = Schedule.exponential("200 millis", 1.6)

const decodeFrame = Schema.decodeUnknownOption(Schema.fromJsonString(Frame))

/** A dial that the object answered with something else than a socket: there is nothing left to listen to. */
class Refused extends Data.TaggedError("Refused")<{}> {}

type Frame = typeof Frame.Type

interface Held {
  /** The socket to begin with. */
  readonly socket: WebSocket
  /** Asks for another one that goes on after the event. */
  readonly dial: (lastEventId: string | undefined) => Effect.Effect<Response, AgentUnavailable>
}

interface HeldStreamOptions extends Held {
  /** Sent first. */
  readonly preamble: string
  /** Whether the client understands an event without data, which only gives it an id to resume from. */
  readonly primes: boolean
}

const event = (id: string, data: string) => `event: message\nid: ${id}\ndata: ${data}\n\n`

/** Waits for the socket to close, and answers its code. Interrupting it closes the socket. */
const untilClosed = (socket: WebSocket, onText: (text: string) => void) =>
  Effect.callback<number>((resume) => {
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") onText(data)
    })
    socket.addEventListener("close", ({ code }) => resume(Effect.succeed(code)))
    socket.addEventListener("error", () => resume(Effect.succeed(1006)))
    socket.accept()
    return Effect.sync(() => socket.close(1000, "the client has left"))
  })

/** The object ended the stream itself, and wants no other one in its place. */
const isFinal = (code: number) => code === 1000 || code === 1001 || (code >= 4000 && code < 5000)

/**
 * What an object sends over its sockets. It ends when the object says so, and outlives whatever else closes a socket,
 * as a new version of the Worker does.
 */
export const heldFrames = ({ socket, dial }: Held): Stream.Stream<Frame> => {
  const follow = Effect.fnUntraced(function* (queue: Queue.Queue<Frame, Cause.Done>) {
    let lastEventId: string | undefined
    const forward = (text: string) => {
      const frame = decodeFrame(text)
      if (frame._tag === "None") return
      // A client that reads too slowly loses its stream, not an event of it: it can resume.
      if (!Queue.offerUnsafe(queue, frame.value)) Queue.endUnsafe(queue)
      lastEventId = frame.value.id
    }
    const again = Effect.suspend(() => dial(lastEventId)).pipe(
      Effect.flatMap(({ webSocket }) => (webSocket ? Effect.succeed(webSocket) : Effect.fail(new Refused()))),
      Effect.retry({ schedule: backoff, times: 12, while: (error) => error._tag === "AgentUnavailable" })
    )
    let current = socket
    while (!isFinal(yield* untilClosed(current, forward))) current = yield* again
  })
  return Stream.callback<Frame>((queue) => Effect.andThen(Effect.ignore(follow(queue)), Queue.end(queue)), {
    bufferSize: 1_024,
    strategy: "dropping"
  })
}

/** A stream of server-sent events that the Worker holds on behalf of a sleeping object: one frame is one event. */
export const heldStream = ({ socket, dial, preamble, primes }: HeldStreamOptions): Stream.Stream<Uint8Array> => {
  const events = heldFrames({ socket, dial }).pipe(
    Stream.map(({ id, data }) =>
      data === undefined ? (primes ? `id: ${id}\nretry: ${retryAfter}\ndata: \n\n` : "") : event(id, data)
    )
  )
  const keepAlive = Stream.tick(keepAliveEvery).pipe(
    Stream.drop(1),
    Stream.map(() => ": keepalive\n\n")
  )
  return Stream.make(preamble).pipe(
    Stream.concat(Stream.merge(events, keepAlive, { haltStrategy: "left" })),
    Stream.encodeText
  )
}
