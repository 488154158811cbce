const watchedStream = <A>(stream: ReadableStream<A>, onGone: () => void): ReadableStream<A> => {
  const reader = stream.getReader()
  let isGone = false
  // Cancelling also ends a read that is under way.
  const end = () => {
    if (!isGone) onGone()
    isGone = true
  }
  return new ReadableStream<A>({
    pull: async (controller) => {
      try {
        const read = await reader.read()
        if (!read.done) return controller.enqueue(read.value)
      } catch (error) {
        end()
        throw error
      }
      end()
      controller.close()
    },
    cancel: (reason) => {
      end()
      return reader.cancel(reason)
    }
  })
}

/** The response with a body that calls back once: when it ends, fails, or is cancelled. */
export const watched = (answer: Response, onGone: () => void): Response =>
  answer.body === null ? answer : new Response(watchedStream(answer.body, onGone), answer)
