import { assert, describe, it } from "vitest"

import {
  call,
  connectSse,
  freshUser,
  identityOf,
  reading,
  replace,
  Session,
  until
} from "../support/sessions/Sessions.ts"

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
    await replace(session.identity.userId)
    const { ending, messages } = await lost.stream.end()
    assert.strictEqual(ending, "broken")
    assert.isTrue(messages.every(isQuestion))

    const late = answer(lost.question.message.id, "late")
    assert.strictEqual((await session.post(late)).status, 202)
    const anew = await ask(session, 2)
    assert.strictEqual((await session.post(late)).status, 202)
    assert.strictEqual((await session.post(answer(anew.question.message.id, "mine"))).status, 202)
    assert.strictEqual(wordIn((await anew.stream.end()).messages, 2), "mine")
    assert.deepEqual(await reading(await session.listen(lost.question.id)).end(), { ending: "ended", messages: [] })
  })

  it("goes with its object on /sse as well, where the stream is dialled again", async () => {
    const { session, stream, answers } = await connectSse()
    assert.strictEqual((await session.post(call(1, "question"))).status, 202)
    await until(() => answers().some(isQuestion))
    await replace(session.identity.userId)
    await until(() => stream.state.closed === 1006)

    const late = answer(answers().find(isQuestion).id, "late")
    const { frames } = await session.stream(stream.frames.at(-1)!.id)
    const heard = () => frames.flatMap(({ message }) => (message === undefined ? [] : [message]))
    assert.strictEqual((await session.post(late)).status, 202)
    assert.strictEqual((await session.post(call(2, "question"))).status, 202)
    await until(() => heard().some(isQuestion))
    assert.strictEqual((await session.post(late)).status, 202)
    assert.strictEqual((await session.post(answer(heard().find(isQuestion).id, "mine"))).status, 202)
    await until(() => heard().length === 2)
    assert.strictEqual(wordIn(heard(), 2), "mine")
  })
})
