#!/usr/bin/env bash
# opencode as a user with a custom provider runs it: one prompt, one turn with its tools, all it writes kept in DIR.
#
# usage: opencode.sh DIR [ARG...], with DIR fresh, empty and outside any repository, and KW_BASE, KW_KEY, KW_MODEL,
# KW_PROMPT and KEYWHEEL_CLIENTS (the folder that .ci/install filled) in the environment. ARGs go to `opencode run`.
# KW_NPM names another of its providers than @ai-sdk/openai-compatible; @ai-sdk/openai asks over /v1/responses.
# Prints what opencode prints; exit 124 after 120 s.
set -euo pipefail

cd "$1"
shift
export HOME=$PWD XDG_CONFIG_HOME=$PWD/.config XDG_DATA_HOME=$PWD/.local/share XDG_STATE_HOME=$PWD/.local/state
export XDG_CACHE_HOME=$PWD/.cache TMPDIR=$PWD
export OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1
export OPENCODE_DISABLE_LSP_DOWNLOAD=1 OPENCODE_DISABLE_SHARE=1
# opencode looks a plugin up in the npm registry at every start and does without it: keep the run on loopback
export HTTPS_PROXY=http://127.0.0.1:9

cat >opencode.json <<JSON
{
  "provider": {
    "kw": {
      "npm": "${KW_NPM:-@ai-sdk/openai-compatible}",
      "options": { "baseURL": "$KW_BASE/v1", "apiKey": "{env:KW_KEY}" },
      "models": { "$KW_MODEL": { "limit": { "context": 128000, "output": 8192 } } }
    }
  },
  "model": "kw/$KW_MODEL",
  "small_model": "kw/$KW_MODEL"
}
JSON

exec timeout -k 5 120 "$KEYWHEEL_CLIENTS/node_modules/.bin/opencode" run -m "kw/$KW_MODEL" "$@" "$KW_PROMPT" </dev/null
