// The OpenAI Node SDK as its users meet the gateway: one scenario per run, one line of JSON about what the SDK saw.
//
// usage: openai_node.mjs chat|stream|responses|cut_stream|expect_error, with KW_BASE, KW_KEY, KW_MODEL and KEYWHEEL_CLIENTS (the
// folder that .ci/install filled) in the environment. KW_RETRIES (0), KW_TIMEOUT in seconds (30) and KW_PROMPT may be
// set. Exit 1 if the SDK threw where no error was expected.

import { createRequire } from "node:module";
import { resolve } from "node:path";

const env = process.env;
const { OpenAI } = createRequire(resolve(env.KEYWHEEL_CLIENTS, "package.json"))("openai");

const model = env.KW_MODEL;
const messages = [{ role: "user", content: env.KW_PROMPT ?? "Say hello." }];
const api = new OpenAI({
  baseURL: `${env.KW_BASE}/v1`,
  apiKey: env.KW_KEY || "none",
  maxRetries: Number(env.KW_RETRIES ?? 0),
  timeout: Number(env.KW_TIMEOUT ?? 30) * 1000,
});

function gatewayHeaders(headers) {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-keywheel-")));
}

function note(seen, response) {
  seen.status = response.status;
  seen.headers = gatewayHeaders(response.headers);
}

async function chat(seen) {
  const { data, response } = await api.chat.completions.create({ model, messages }).withResponse();
  note(seen, response);
  seen.model = data.model;
  seen.text = data.choices[0].message.content;
  seen.finish_reason = data.choices[0].finish_reason;
  seen.usage = data.usage ?? null;
}

async function stream(seen) {
  Object.assign(seen, { text: "", chunks: 0, finish_reason: null, usage: null, clean_end: false });
  const asked = { model, messages, stream: true, stream_options: { include_usage: true } };
  const { data, response } = await api.chat.completions.create(asked).withResponse();
  note(seen, response);
  for await (const chunk of data) {
    seen.chunks += 1;
    seen.model = chunk.model;
    seen.usage = chunk.usage ?? seen.usage;
    for (const choice of chunk.choices) {
      seen.text += choice.delta?.content ?? "";
      seen.finish_reason = choice.finish_reason ?? seen.finish_reason;
    }
  }
  seen.clean_end = true;
}

// the stream by the SDK's own reader, then the same whole
async function responses(seen) {
  Object.assign(seen, { text: "", thoughts: "" });
  const events = api.responses.stream({ model, input: messages[0].content });
  events.on("response.output_text.delta", (event) => (seen.text += event.delta));
  events.on("response.reasoning_summary_text.delta", (event) => (seen.thoughts += event.delta));
  const done = await events.finalResponse();
  Object.assign(seen, { state: done.status, final: done.output_text, usage: done.usage });
  const whole = await api.responses.create({ model, input: messages[0].content });
  seen.whole = { text: whole.output_text, kinds: whole.output.map((item) => item.type), usage: whole.usage };
}

function describe(error) {
  return {
    class: error.constructor.name,
    status: error.status ?? null,
    code: error.code ?? null,
    type: error.type ?? null,
    message: error.error?.message ?? error.message,
    retry_after: error.headers?.get("retry-after") ?? null,
    headers: error.headers ? gatewayHeaders(error.headers) : null,
    cause: error.cause?.constructor.name ?? null,
  };
}

const scenarios = { chat, stream, responses, cut_stream: stream, expect_error: chat };
const name = process.argv[2];
if (!Object.hasOwn(scenarios, name ?? "")) {
  console.error(`usage: openai_node.mjs ${Object.keys(scenarios).join("|")}`);
  process.exit(2);
}
const seen = { scenario: name, error: null };
try {
  await scenarios[name](seen);
} catch (error) {
  seen.error = describe(error);
}
console.log(JSON.stringify(seen));
process.exitCode = seen.error && !["expect_error", "cut_stream"].includes(name) ? 1 : 0;
