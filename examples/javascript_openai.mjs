// A question and a stream with the OpenAI SDK for JavaScript.   npm install openai

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.LLM_BASE_URL, apiKey: process.env.LLM_API_KEY });
const model = process.env.LLM_MODEL;

const answer = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: "Why is the sky blue? One sentence." }],
});
console.log(answer.choices[0].message.content);

const stream = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: "And at sunset?" }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
process.stdout.write("\n");
