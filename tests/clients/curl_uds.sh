#!/usr/bin/env bash
# curl over the Unix socket, the door for scripts: a streamed chat, its body printed byte for byte.
#
# usage: curl_uds.sh, with KW_SOCKET and KW_MODEL in the environment. KW_KEY (none: the socket needs no key from the
# same user) and KW_PROMPT (without quotes in it) may be set. Exit 22 for an HTTP error (its body is printed too), 18 or
# 56 for a cut stream.
set -euo pipefail

curl -q --silent --show-error --no-buffer --fail-with-body --max-time 30 --unix-socket "$KW_SOCKET" \
  ${KW_KEY:+-H "authorization: Bearer $KW_KEY"} \
  -H 'content-type: application/json' \
  --data '{"model":"'"$KW_MODEL"'","stream":true,"messages":[{"role":"user","content":"'"${KW_PROMPT:-Say hello.}"'"}]}' \
  http://localhost/v1/chat/completions
