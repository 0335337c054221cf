// The OpenAI SDK through Keywheel: KEYWHEEL_KEY=$(cat .../client.key) node chat.mjs
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "http://127.0.0.1:4141/v1", apiKey: process.env.KEYWHEEL_KEY });
const stream = await client.chat.completions.create({
  model: "sim/echo",
  messages: [{ role: "user", content: "hello" }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
process.stdout.write("\n");
