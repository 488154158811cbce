/** A table of a Durable Object's SQLite that is made at its first write. */
export interface LazyTable {
  /** Whether there is one to read from. */
  readonly exists: () => boolean
  /** Makes it, unless there is one. */
  readonly create: () => void
}

/**
 * `statements` make the table and its indexes. An object whose user is not known is asked all the same, by anybody who
 * makes up a token: without a write it has to stay empty, because an object with a table is one that is stored.
 */
export const lazyTable = (sql: SqlStorage, name: string, ...statements: ReadonlyArray<string>): LazyTable => {
  let found = false
  const exists = (): boolean => {
    found ||= sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name).toArray().length > 0
    return found
  }
  return {
    exists,
    create: () => {
      if (exists()) return
      for (const statement of statements) sql.exec(statement)
    }
  }
}

/** Whether any of these tables is there and has a row. Makes none. */
export const anyRow = (sql: SqlStorage, names: ReadonlyArray<string>): boolean => {
  const listed = names.map(() => "?").join()
  const found = sql.exec(`SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (${listed})`, ...names)
  const there = new Set(found.toArray().map(({ name }) => name))
  return names.some((name) => there.has(name) && sql.exec(`SELECT 1 FROM ${name} LIMIT 1`).toArray().length > 0)
}
