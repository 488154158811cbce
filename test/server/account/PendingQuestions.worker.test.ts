import { assert, describe, it } from "vitest"

import { limits } from "../../../src/server/account/Session.ts"
import type { UserId } from "../../../src/server/domain/Principal.ts"
import {
  call,
  connectSse,
  freshUser,
  identityOf,
  messagesOf,
  reading,
  replace,
  Session,
  until
} from "../../support/sessions/Sessions.ts"

const isQuestion = (message: any) => message?.method === "elicitation/create"
const answer = (id: string, word: string) => ({ jsonrpc: "2.0", id, result: { action: "accept", content: { word } } })

/** Calls the tool that asks, and reads until it does. */
const ask = async (session: Session, id: number) => {
  const stream = reading(await session.post(call(id, "question")))
  return { stream, question: await stream.event(isQuestion) }
}

const wordIn = (messages: ReadonlyArray<any>, id: number): unknown => {
  const answers = messages.filter((message) => message.id === id)
  assert.lengthOf(answers, 1)
  return answers[0].result.structuredContent.text
}

describe("a question to the person at a client", () => {
  it("is answered", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { stream, question } = await ask(session, 1)
    assert.strictEqual((await session.post(answer(question.message.id, "mine"))).status, 202)
    assert.strictEqual(wordIn((await stream.end()).messages, 1), "mine")
  })

  it("breaks off with its object, and another call asks anew: no late answer counts for it", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const lost = await ask(session, 1)
    await replace(session.principal.userId)
    const { ending, messages } = await lost.stream.end()
    assert.strictEqual(ending, "broken")
    assert.isTrue(messages.every(isQuestion))

    const late = answer(lost.question.message.id, "late")
    const refused = await session.post(late)
    assert.strictEqual(refused.status, 400)
    assert.include(await refused.text(), "nobody waits for it any more")
    const anew = await ask(session, 2)
    assert.strictEqual((await session.post(late)).status, 400)
    assert.strictEqual((await session.post(answer(anew.question.message.id, "mine"))).status, 202)
    assert.strictEqual(wordIn((await anew.stream.end()).messages, 2), "mine")
    const rest = await reading(await session.listen(lost.question.id)).end()
    assert.strictEqual(rest.ending, "ended")
    assert.deepEqual(
      rest.messages.map(({ id, error }) => [id, error.code]),
      [[1, -32603]]
    )
  })

  it("goes with its object on /sse as well, where the stream is dialled again", async () => {
    const { session, stream, answers } = await connectSse()
    assert.strictEqual((await session.post(call(1, "question"))).status, 202)
    await until(() => answers().some(isQuestion))
    await replace(session.principal.userId)
    await until(() => stream.state.closed === 1006)

    const late = answer(answers().find(isQuestion).id, "late")
    const { frames } = await session.stream(stream.frames.at(-1)!.id)
    const heard = () => frames.flatMap(({ message }) => (message === undefined ? [] : [message]))
    assert.strictEqual((await session.post(late)).status, 400)
    assert.strictEqual((await session.post(call(2, "question"))).status, 202)
    await until(() => heard().some(isQuestion))
    assert.strictEqual((await session.post(late)).status, 400)
    assert.strictEqual((await session.post(answer(heard().find(isQuestion).id, "mine"))).status, 202)
    await until(() => heard().some(({ id, result }) => id === 2 && result !== undefined))
    assert.strictEqual(wordIn(heard(), 2), "mine")
    const [lost] = heard()
    assert.deepEqual([lost.id, lost.error.code], [1, -32603])
  })
})

describe("questions that wait for an answer", () => {
  const open = (user: UserId, count: number, client: (index: number) => number) =>
    Promise.all(Array.from({ length: count }, (_, index) => Session.open(identityOf(user, `grant-${client(index)}`))))
  const ids = Array.from({ length: limits.questionsPerSession }, (_, id) => id)
  const askMany = (sessions: ReadonlyArray<Session>) =>
    Promise.all(sessions.flatMap((session) => ids.map((id) => ask(session, id))))

  it("take no place of anything else, in the session, of the client or of the user", async () => {
    const user = freshUser()
    const sessions = await open(user, 4, (index) => Math.floor(index / 2))
    const asked = await askMany(sessions)
    assert.lengthOf(asked, limits.questions)
    for (const session of sessions) {
      assert.lengthOf(await messagesOf(await session.post(call(99, "echo"))), 1)
      await (await Session.open(session.principal)).remove()
    }
    await Promise.all(sessions.map((session) => session.remove()))
    await Promise.all(asked.map(({ stream }) => stream.end()))
  })

  it("take no place in memory", async () => {
    const user = freshUser()
    const sessions = await open(user, limits.liveServers + 4, (index) => index % 2)
    const asked = await Promise.all(sessions.map((session) => ask(session, 1)))
    const last = await Session.open(identityOf(user, "grant-1"))
    assert.lengthOf(await messagesOf(await last.post(call(1, "echo"))), 1)
    await sessions[0]!.post(answer(asked[0]!.question.message.id, "kept"))
    assert.strictEqual(wordIn((await asked[0]!.stream.end()).messages, 1), "kept")
    await Promise.all(sessions.map((session) => session.remove()))
    await Promise.all(asked.slice(1).map(({ stream }) => stream.end()))
  })

  it("are as many as may be: a further one is refused, unless a client has left one, which ends", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const asked = await askMany([session])
    const [refused] = await messagesOf(await session.post(call(50, "question")))
    assert.isTrue(refused.result.isError)
    assert.include(refused.result.content[0].text, "No more than 16 questions may wait for an answer")
    await asked[7]!.stream.leave()
    let further = reading(await session.post(call(51, "question")))
    await until(async () => {
      const message = (await further.event((message) => message !== undefined)).message
      if (isQuestion(message)) return true
      further = reading(await session.post(call(51, "question")))
      return false
    })
    const [ended] = await messagesOf(await session.listen(asked[7]!.question.id))
    assert.deepEqual(ended.error, { code: -32000, message: "The client left before it answered a question" })
    await session.remove()
    await Promise.all([further, ...asked.flatMap(({ stream }, id) => (id === 7 ? [] : stream))].map((it) => it.end()))
  })
})
