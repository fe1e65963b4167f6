// The OpenAI SDK for JavaScript.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { API_KEY, BASE_URL, EMBEDDING_MODEL, MODEL, run } from "./behaviours.mjs";

const settings = { baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0, timeout: 30_000 };
const client = new OpenAI(settings);
const stranger = new OpenAI({ ...settings, apiKey: "hg-this-key-was-never-issued" });

const messages = [{ role: "user", content: "Say hello to José, 木村 and 🙂." }];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, nights: { type: "integer" } },
  required: ["city", "nights"],
  additionalProperties: false,
};
const tools = [
  { type: "function", function: { name: "plan_trip", description: "Plan a trip", parameters: schema } },
];

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

function isTrip(text) {
  const trip = JSON.parse(text);
  assert.equal(typeof trip.city, "string");
  assert.ok(Number.isInteger(trip.nights));
}

await run({
  "a chat completion has text, a finish reason and usage": async () => {
    const answer = await client.chat.completions.create({ model: MODEL, messages });
    assert.ok(answer.choices[0].message.content);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.ok(answer.usage.total_tokens > 0);
    assert.ok(answer._request_id);
  },

  "a stream has text and a finish reason, and no usage unasked": async () => {
    const chunks = await collect(await client.chat.completions.create({ model: MODEL, messages, stream: true }));
    assert.ok(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""));
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
    assert.ok(chunks.every((chunk) => !chunk.usage));
  },

  "a stream that asks for usage has it in the last chunk, and only there": async () => {
    const stream_options = { include_usage: true };
    const chunks = await collect(
      await client.chat.completions.create({ model: MODEL, messages, stream: true, stream_options }),
    );
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.ok(chunks.at(-1).usage.completion_tokens > 0);
    assert.ok(chunks.slice(0, -1).every((chunk) => !chunk.usage));
  },

  "the SDK's stream helper folds the events to a whole answer": async () => {
    const final = await client.chat.completions.stream({ model: MODEL, messages }).finalChatCompletion();
    assert.ok(final.choices[0].message.content);
  },

  "a stream may be left midway, and the client goes on": async () => {
    for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, stream: true })) {
      assert.ok(chunk);
      break;
    }
    assert.ok((await client.chat.completions.create({ model: MODEL, messages })).choices[0].message.content);
  },

  "tools are called with arguments that fit, and their results are accepted": async () => {
    const answer = await client.chat.completions.create({ model: MODEL, messages, tools });
    const called = answer.choices[0].message;
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    assert.equal(called.tool_calls[0].function.name, "plan_trip");
    isTrip(called.tool_calls[0].function.arguments);
    const result = { role: "tool", tool_call_id: called.tool_calls[0].id, content: "booked" };
    const after = await client.chat.completions.create({ model: MODEL, messages: [...messages, called, result], tools });
    assert.ok(after.choices[0].message.content);
  },

  "a tool call arrives in pieces that join to valid arguments": async () => {
    const final = await client.chat.completions.stream({ model: MODEL, messages, tools }).finalChatCompletion();
    isTrip(final.choices[0].message.tool_calls[0].function.arguments);
  },

  "a JSON schema is answered with JSON that fits it": async () => {
    const response_format = { type: "json_schema", json_schema: { name: "trip", strict: true, schema } };
    const answer = await client.chat.completions.create({ model: MODEL, messages, response_format });
    isTrip(answer.choices[0].message.content);
  },

  "the old completions work": async () => {
    const answer = await client.completions.create({ model: MODEL, prompt: "Once upon a time" });
    assert.ok(answer.choices[0].text);
  },

  "embeddings come as base64 and as floats, and are the same vectors": async () => {
    const input = ["one", "two"];
    const unpacked = await client.embeddings.create({ model: EMBEDDING_MODEL, input });
    const floats = await client.embeddings.create({ model: EMBEDDING_MODEL, input, encoding_format: "float" });
    assert.equal(unpacked.data.length, 2);
    unpacked.data.forEach(({ embedding }, row) => {
      assert.ok(embedding.length > 0);
      assert.equal(embedding.length, floats.data[row].embedding.length);
      embedding.forEach((value, i) => assert.ok(Math.abs(value - floats.data[row].embedding[i]) < 1e-6));
    });
  },

  "models are listed, and one with a slash in its id is found": async () => {
    const ids = (await collect(await client.models.list())).map((model) => model.id);
    assert.ok(ids.includes(MODEL));
    assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  },

  "/v1 and /v1/openai are the same": async () => {
    const other = new OpenAI({ ...settings, baseURL: `${BASE_URL}/openai` });
    assert.ok((await other.chat.completions.create({ model: MODEL, messages })).choices[0].message.content);
  },

  "a wrong key is an AuthenticationError": async () => {
    await assert.rejects(stranger.chat.completions.create({ model: MODEL, messages }), OpenAI.AuthenticationError);
  },

  "an unknown model is a NotFoundError with its code": async () => {
    await assert.rejects(client.chat.completions.create({ model: "no/such/model", messages }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, "model_not_found");
      return true;
    });
  },

  "a provider's 429 is a RateLimitError with Retry-After": async () => {
    await assert.rejects(client.chat.completions.create({ model: "sandbox/429", messages }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.ok(Number(error.headers.get("retry-after")) >= 1);
      return true;
    });
  },

  "a stream that is cut raises, after the text that did arrive": async () => {
    const stream = await client.chat.completions.create({ model: "sandbox/cut", messages, stream: true });
    let text = "";
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    }, OpenAI.APIError);
    assert.ok(text);
  },
});
