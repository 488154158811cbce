import { randomInt } from "node:crypto"
import { createServer } from "node:net"

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })

/**
 * A port that nobody listens on, for somebody who is told which one to take, or to come back to. It is below the range
 * that systems hand out by themselves (from 49152 by RFC 6335, from 32768 on Linux): one from there can be gone before
 * it is used.
 */
export const freePort = async (): Promise<number> => {
  const port = randomInt(20_000, 30_000)
  return (await isFree(port)) ? port : freePort()
}
