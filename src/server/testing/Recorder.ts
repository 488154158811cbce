import type { ContentBlock } from "@modelcontextprotocol/server"

import type * as ClientLog from "../capability/ClientLog.ts"
import type * as Progress from "../capability/Progress.ts"
import type * as Question from "../capability/Question.ts"

/** What the client is told and asked while a tool is at work. Give it to `callTool` and read it afterwards. */
export class Recorder {
  /** The reports of progress, in order. */
  readonly progress: Array<Progress.Report> = []
  /** The lines of the client's log, of every level. */
  readonly log: Array<ClientLog.Entry> = []
  /** The questions that ended a round, with their keys. */
  readonly questions: Array<{ readonly key: string; readonly request: Question.InputRequest }> = []
  /** What the model reads of the result: the content that the tool writes, or the result as JSON. */
  content: ReadonlyArray<ContentBlock> = []
}
