import type { KvCall, Observations, Orders } from "./Observations.ts"
import type { Server } from "../RunningServer.ts"

/** Gives the observed Worker orders, and answers what happened until then. */
export const order = async ({ url }: Pick<Server, "url">, orders: Orders = {}): Promise<Observations> => {
  const answer = await fetch(`${url}/_observed`, { method: "POST", body: JSON.stringify(orders) })
  return answer.json<Observations>()
}

/** What happens while something is done, and until everything is done that follows from it. */
export const during = async (
  server: Pick<Server, "url">,
  act: () => Promise<unknown>,
  settled = 0
): Promise<Observations> => {
  await order(server, { forget: true })
  await act()
  await new Promise((resolve) => setTimeout(resolve, settled))
  return order(server)
}

const isWrite = ({ method }: KvCall) => method === "put" || method === "delete"

/** The shortest time between two writes of one key of KV, in milliseconds; a deletion is one. */
export const shortestPause = ({ kv }: Observations): number => {
  const writes = kv.filter(isWrite)
  const pauses = writes.map(
    ({ key, at }, index) => at - (writes.slice(0, index).findLast((one) => one.key === key)?.at ?? -Infinity)
  )
  return Math.min(...pauses)
}
