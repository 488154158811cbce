/** Text with the three characters at which some clients end a line, beside those at which none may be split. */
export const withBreaks = "before\u2028middle\u2029after\u0085end \u00c2\u00e2\u20ac\u{1f600}"

/** The messages of a stream of events, read as such a client reads it. */
export const readAnywhere = (stream: string): ReadonlyArray<unknown> =>
  stream
    .split(/\r\n|[\n\r\u0085\u2028\u2029]/u)
    .filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice("data: ".length)))
