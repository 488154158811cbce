import * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"

import { Offer, ToolCalls, whenApp } from "../server/index.ts"
import * as Account from "./Account.ts"
import * as AppAccounts from "./AppAccounts.ts"
import * as Arithmetic from "./Arithmetic.ts"
import { ImageGenerator } from "./ImageGenerator.ts"
import * as Images from "./Images.ts"
import * as SignOut from "./SignOut.ts"

/** Every tool of the server. A new family is one more file, and its name in these two lists. */
export const toolkit = Toolkit.merge(Arithmetic.toolkit, Account.toolkit, Images.toolkit, SignOut.toolkit)

const layer = Layer.mergeAll(Arithmetic.layer, Account.layer, Images.layer, SignOut.layer)

/** The tools of a server with an app behind it: those that call its API, and all others. The same goes for these lists. */
export const toolkitWithApp = Toolkit.merge(toolkit, AppAccounts.toolkit)

const layerWithApp = Layer.mergeAll(layer, AppAccounts.layer)

/** What the server offers beside its tools. */
export const offer = { resources: [Account.me], templates: [], prompts: [Account.introduceMe] }

/** All of it as the server takes it. The tools that call the app are there if there is an app. */
export const catalogue = whenApp(
  ToolCalls.layer(toolkitWithApp).pipe(Layer.provide(layerWithApp)),
  ToolCalls.layer(toolkit).pipe(Layer.provide(layer))
).pipe(Layer.provide(ImageGenerator.layer), Layer.merge(Layer.succeed(Offer, offer)))
