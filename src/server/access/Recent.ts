/** How many users, or sessions, an isolate remembers. */
const capacity = 2_000

/** Sets a value, and forgets the one that was set the longest ago where there are too many. */
export const remember = <K, V>(map: Map<K, V>, key: K, value: V): void => {
  map.delete(key)
  map.set(key, value)
  if (map.size <= capacity) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
