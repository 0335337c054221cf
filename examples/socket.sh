#!/bin/sh
# Chat over the Unix socket: no port is open, and the socket's owner needs no key.
# usage: socket.sh SOCKET [MODEL]      `keywheel status` shows the socket's path
exec curl -sS --no-buffer --unix-socket "$1" http://localhost/v1/chat/completions \
  -H 'content-type: application/json' \
  -d "{\"model\":\"${2:-sim/echo}\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
