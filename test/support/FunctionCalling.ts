/** A JSON Schema as a tool advertises it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** What a client hands to a model's API: the advertised schema, as it is. */
export interface Declaration {
  readonly name: string
  readonly description: string
  readonly parameters: JsonSchema
}

interface Located {
  readonly at: string
  readonly schema: JsonSchema
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const keywordsWithSchemas = ["items", "additionalProperties", "not", "contains", "if", "then", "else"]
const keywordsWithLists = ["anyOf", "oneOf", "allOf", "prefixItems"]
const keywordsWithNames = ["properties", "patternProperties", "$defs", "definitions"]

/** A schema and every schema in it, with where each is. */
export const schemasIn = (schema: JsonSchema, at = ""): ReadonlyArray<Located> => {
  const within = (value: unknown, place: string) => (isSchema(value) ? schemasIn(value, `${at}/${place}`) : [])
  return [
    { at, schema },
    ...keywordsWithSchemas.flatMap((keyword) => within(schema[keyword], keyword)),
    ...keywordsWithLists.flatMap((keyword) => {
      const list = schema[keyword]
      return Array.isArray(list) ? list.flatMap((item, index) => within(item, `${keyword}/${index}`)) : []
    }),
    ...keywordsWithNames.flatMap((keyword) =>
      Object.entries(schema[keyword] ?? {}).flatMap(([name, value]) => within(value, `${keyword}/${name}`))
    )
  ]
}

const propertiesOf = (schema: JsonSchema): ReadonlyArray<string> => Object.keys(schema["properties"] ?? {})

/** What holds for every schema that is to be understood anywhere, of parameters and of results. */
export const objectFaults = (root: JsonSchema): ReadonlyArray<string> => [
  ...(root["type"] === "object" ? [] : ["the root is no object"]),
  ...["anyOf", "oneOf", "allOf", "not", "enum", "$ref"].filter((word) => word in root).map((word) => `root ${word}`),
  ...schemasIn(root).flatMap(({ at, schema }) => [
    ...(schema["type"] === "object" && !isSchema(schema["properties"])
      ? [`${at} is an object without properties`]
      : []),
    ...("not" in schema ? [`${at} says what it is not`] : []),
    ...("$ref" in schema || "$defs" in schema ? [`${at} refers to a definition`] : [])
  ])
]

/** Anthropic, Messages API, tools: `input_schema` is JSON Schema 2020-12 with an object at its root. */
const anthropic = ({ name, parameters }: Declaration): ReadonlyArray<string> => [
  ...(/^[a-zA-Z0-9_-]{1,64}$/u.test(name) ? [] : ["its name"]),
  ...schemasIn(parameters).flatMap(({ at, schema }) =>
    propertiesOf(schema)
      .filter((property) => !/^[a-zA-Z0-9_.-]{1,64}$/u.test(property))
      .map((property) => `the property ${property} of ${at}`)
  )
]

/**
 * OpenAI, function calling: a name of 64 characters, a description of 1,024; arrays say what they hold. Words that its
 * structured outputs do not know; at most 5,000 properties in 10 levels.
 */
const openAi = ({ name, description, parameters }: Declaration): ReadonlyArray<string> => {
  const all = schemasIn(parameters)
  const unknown = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties"
  ]
  return [
    ...(/^[a-zA-Z0-9_-]{1,64}$/u.test(name) ? [] : ["its name"]),
    ...(description.length <= 1024 ? [] : ["its description"]),
    ...(all.flatMap(({ schema }) => propertiesOf(schema)).length <= 5000 ? [] : ["its number of properties"]),
    ...all.flatMap(({ at, schema }) => [
      ...(schema["type"] === "array" && !isSchema(schema["items"]) ? [`${at} is an array of no items`] : []),
      ...(at.split("/properties/").length <= 11 ? [] : [`${at} is too deep`]),
      ...unknown.filter((word) => word in schema).map((word) => `${at} has ${word}`)
    ])
  ]
}

/** The words of `Schema` and of `parametersJsonSchema` together; any other is refused or ignored. */
const ofGemini = new Set(
  [
    "type format title description nullable enum default example anyOf oneOf",
    "items prefixItems minItems maxItems minimum maximum minLength maxLength pattern",
    "properties propertyOrdering required minProperties maxProperties additionalProperties"
  ].flatMap((words) => words.split(" "))
)

/**
 * Gemini, function declarations: a name that begins with a letter or an underscore; one type for each schema; values to
 * choose from are texts; what is required is described; only the root may be an object of nothing.
 */
const gemini = ({ name, parameters }: Declaration): ReadonlyArray<string> => [
  ...(/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/u.test(name) ? [] : ["its name"]),
  ...schemasIn(parameters).flatMap(({ at, schema }) => {
    const {
      type,
      enum: values = [],
      required = []
    } = schema as {
      readonly type?: unknown
      readonly enum?: ReadonlyArray<unknown>
      readonly required?: ReadonlyArray<string>
    }
    const described = propertiesOf(schema)
    return [
      ...(typeof type === "string" || "anyOf" in schema ? [] : [`${at} has no type, or several`]),
      ...(values.every((value) => typeof value === "string") ? [] : [`${at} lets choose from other values than texts`]),
      ...required.filter((property) => !described.includes(property)).map((property) => `${at} requires ${property}`),
      ...(type === "object" && at !== "" && described.length === 0 ? [`${at} is an object of nothing`] : []),
      ...Object.keys(schema)
        .filter((word) => !ofGemini.has(word))
        .map((word) => `${at} has ${word}`)
    ]
  })
]

/** The documented rules of the APIs that clients hand tools to: each finds what it would refuse or ignore. */
export const functionCalling = {
  Anthropic: (tool: Declaration) => [...objectFaults(tool.parameters), ...anthropic(tool)],
  OpenAI: (tool: Declaration) => [...objectFaults(tool.parameters), ...openAi(tool)],
  Gemini: (tool: Declaration) => [...objectFaults(tool.parameters), ...gemini(tool)]
}
