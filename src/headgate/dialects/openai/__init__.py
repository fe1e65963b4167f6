"""OpenAI's wire format for chat completions, completions and embeddings, on both sides."""
