import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import * as Incident from "../observability/Incident.ts"
import { type AccountUnavailable, backoff } from "./AccountStub.ts"
import { Frame, retryAfter } from "./Session.ts"

/** Proxies drop a connection that is silent for longer, and a client that has left shows when something is written. */
const keepAliveEvery = "15 seconds"
/** How many times in a row to reconnect to an object that does not keep a socket open: about a minute and a half. */
const maxRedials = 12
/** A socket that stayed open this long, in milliseconds, resets that count. */
const steady = 30_000
/** How much is buffered for a client that reads slowly, in frames and in characters. A longer frame is buffered alone. */
const capacity = { frames: 1_024, characters: 4 * 1024 * 1024 } as const

const decodeFrame = Schema.decodeUnknownOption(Schema.fromJsonString(Frame))

/** The object answered a reconnect without a socket: there is nothing left to listen to. */
class Refused extends Data.TaggedError("Refused")<{ readonly status: number }> {}

/** A socket closed although the object did not close it. */
class Lost extends Data.TaggedError("Lost")<{ readonly code: number; readonly overloaded: false }> {}

type Frame = typeof Frame.Type

interface Held {
  /** The socket to begin with. */
  readonly socket: WebSocket
  /** Opens another one, which resumes after this event. */
  readonly dial: (lastEventId: string | undefined) => Effect.Effect<Response, AccountUnavailable>
}

interface ResumableSseOptions extends Held {
  /** Sent first. */
  readonly preamble: string
  /** Whether the client understands an event without data, which only gives it an id to resume from. */
  readonly primes: boolean
}

const event = (id: string, data: string) => `event: message\nid: ${id}\ndata: ${data}\n\n`

/** Waits until the socket closes and returns its close code. Interrupting it closes the socket. */
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

const sizeOf = ({ id, data = "" }: Frame) => id.length + data.length

/** The session has ended, or the grant with it, or there is another stream in place of this one. */
const isGone = (failure: { readonly _tag: string; readonly status?: number }) =>
  failure._tag === "Refused" && [401, 404, 405].includes(failure.status ?? 0)

/** The object ended the stream itself, and wants no other one in its place. */
const isFinal = (code: number) => code === 1000 || code === 1001 || (code >= 4000 && code < 5000)

/**
 * What an object sends over its sockets. It ends when the object says so, and outlives whatever else closes a socket,
 * as a new version of the Worker does.
 */
export const resumableFrames = ({ socket, dial }: Held): Stream.Stream<Frame> =>
  Stream.suspend(() => {
    let held = 0
    let lastEventId: string | undefined
    let redials = 0

    const forwardTo = (queue: Queue.Queue<Frame, Cause.Done>) => (text: string) => {
      const frame = decodeFrame(text)
      if (frame._tag === "None") return
      const size = sizeOf(frame.value)
      const fits = held === 0 || held + size <= capacity.characters
      // A client that reads too slowly loses its stream, not an event of it: it can resume.
      if (!fits || !Queue.offerUnsafe(queue, frame.value)) Queue.endUnsafe(queue)
      held += size
      lastEventId = frame.value.id
      if (frame.value.data !== undefined) redials = 0
    }

    const untilLost = Effect.fnUntraced(function* (socket: WebSocket, forward: (text: string) => void) {
      const [open, code] = yield* Effect.timed(untilClosed(socket, forward))
      if (isFinal(code)) return
      if (Duration.toMillis(open) >= steady) redials = 0
      return yield* new Lost({ code, overloaded: false })
    })

    const again = Effect.suspend(() => dial(lastEventId)).pipe(
      Effect.flatMap(({ webSocket, status }) =>
        webSocket ? Effect.succeed(webSocket) : Effect.fail(new Refused({ status }))
      )
    )

    const follow = Effect.fnUntraced(function* (queue: Queue.Queue<Frame, Cause.Done>) {
      const forward = forwardTo(queue)
      let pause = yield* Schedule.toStepWithSleep(backoff)
      let attempt: Effect.Effect<void, Lost | Refused | AccountUnavailable> = untilLost(socket, forward)
      for (;;) {
        const failure = yield* Effect.match(attempt, { onSuccess: () => undefined, onFailure: (failure) => failure })
        if (failure === undefined || isGone(failure)) return
        if (failure._tag === "Refused" || redials >= maxRedials)
          return yield* Incident.note("A stream was given up", failure)
        if (redials === 0) pause = yield* Schedule.toStepWithSleep(backoff)
        redials += 1
        yield* pause(failure)
        attempt = Effect.flatMap(again, (socket) => untilLost(socket, forward))
      }
    })

    return Stream.callback<Frame>((queue) => Effect.andThen(Effect.ignore(follow(queue)), Queue.end(queue)), {
      bufferSize: capacity.frames,
      strategy: "dropping"
    }).pipe(
      Stream.map((frame) => {
        held -= sizeOf(frame)
        return frame
      })
    )
  })

/** A stream of server-sent events that the Worker holds on behalf of a sleeping object: one frame is one event. */
export const resumableSse = ({ socket, dial, preamble, primes }: ResumableSseOptions): Stream.Stream<Uint8Array> => {
  const events = resumableFrames({ socket, dial }).pipe(
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
