/**
 * Sends a request whose body is too large for the server to read to its end. The server closes the connection under the
 * client then, and its answer can be lost (RFC 9112, section 9.6): the request is sent again. `request` sends it and
 * reads the answer.
 */
export const unread = async <A>(request: () => Promise<A>, tries = 5): Promise<A> => {
  try {
    return await request()
  } catch (error) {
    if (tries <= 1 || !(error instanceof TypeError)) throw error
    return unread(request, tries - 1)
  }
}
