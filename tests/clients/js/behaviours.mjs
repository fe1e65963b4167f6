// Runs the behaviours of one client, one after the other, and prints a line for each.

export const BASE_URL = process.env.LLM_BASE_URL;
export const API_KEY = process.env.LLM_API_KEY;
export const MODEL = process.env.LLM_MODEL;
export const EMBEDDING_MODEL = process.env.LLM_EMBEDDING_MODEL ?? "sandbox/embed";

/** `behaviours` maps what is shown to the function that shows it. The first failure ends the program. */
export async function run(behaviours) {
  for (const [shown, behaviour] of Object.entries(behaviours)) {
    await behaviour();
    console.log(`ok: ${shown}`);
  }
}
