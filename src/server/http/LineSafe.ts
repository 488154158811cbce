/**
 * Characters that some clients take for line breaks although the event stream format does not. In JSON they occur in
 * strings only.
 */
const breaks = /[\u0085\u2028\u2029]/gu
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** Escapes the three characters in UTF-8 chunks that may be cut anywhere. Chunks without them pass unchanged. */
const escaping = (): TransformStream<Uint8Array, Uint8Array> => {
  const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true })
  const encoder = new TextEncoder()
  let cut = false
  return new TransformStream({
    transform: (bytes, controller) => {
      const continued = cut
      // A chunk that ends in ASCII ends with a whole character.
      cut = (bytes.at(-1) ?? 0) > 0x7f
      // One of the three begins with one of these.
      if (!continued && !cut && !bytes.includes(0xc2) && !bytes.includes(0xe2)) return controller.enqueue(bytes)
      const text = decoder.decode(bytes, { stream: true })
      if (text !== "") controller.enqueue(encoder.encode(text.replace(breaks, escaped)))
    },
    flush: (controller) => {
      if (cut) controller.enqueue(encoder.encode(decoder.decode()))
    }
  })
}

/**
 * A stream of events whose lines end where every client sees an end: U+0085, U+2028 and U+2029 are escaped in its data,
 * which is JSON. Any other answer is left as it is.
 */
export const lineSafe = (response: Response): Response => {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true
  return isStream && response.body ? new Response(response.body.pipeThrough(escaping()), response) : response
}
