#!/bin/sh
# One answer, one stream and the list of models, with nothing but curl.
set -eu

ask() {
    curl --silent --show-error --fail-with-body --no-buffer "$LLM_BASE_URL/$1" \
        --header "Authorization: Bearer $LLM_API_KEY" --header "Content-Type: application/json" --data "$2"
    echo
}

ask chat/completions '{"model": "'"$LLM_MODEL"'", "messages": [{"role": "user", "content": "Say hello."}]}'

ask chat/completions '{
    "model": "'"$LLM_MODEL"'",
    "messages": [{"role": "user", "content": "Say hello."}],
    "stream": true,
    "stream_options": {"include_usage": true}
}'

curl --silent --show-error --fail-with-body "$LLM_BASE_URL/models" --header "Authorization: Bearer $LLM_API_KEY"
echo
