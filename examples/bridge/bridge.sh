#!/bin/sh
# Says one thing to the agent, prints the answer as it comes, and confirms it. Needs curl.
#   channels: {me: {type: "bridge", token: "a-long-secret", allowFrom: ["me"]}}
#   ./bridge.sh http://127.0.0.1:18789/channels/me a-long-secret "What is a session?"
set -eu
url=$1 token=$2 text=$(printf %s "$3" | sed 's/[\\"]/\\&/g')

call() { # --retry repeats on 503, as the gateway asks; the same messageId is accepted once
    curl --silent --show-error --fail-with-body --retry 5 -H "Authorization: Bearer $token" "$@"
}

message="{\"messageId\": \"$(date +%s)-$$\", \"chat\": {\"type\": \"direct\"}, \"sender\": {\"id\": \"me\"}, \"text\": \"$text\"}"
call --data "$message" "$url/inbound" >&2
reply=$(call "$url/outbound?wait=60&max=1")
printf '%s\n' "$reply"
id=$(printf %s "$reply" | sed -n 's/.*"deliveryId":"\([^"]*\)".*/\1/p')
[ -z "$id" ] || call --data '{"status": "sent"}' "$url/outbound/$id/receipt" >&2
