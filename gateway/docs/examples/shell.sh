#!/bin/sh
# A price into Kafka, and what a client gets of it; then the gateway's health. MOONX_TOKEN is the client's token; KAFKA
# and GATEWAY say where both are (in development `cat build/dev/bootstrap` tells the first).
set -eu
: "${KAFKA:=127.0.0.1:9092}" "${GATEWAY:=127.0.0.1:3008}"

moonx-client --url "ws://$GATEWAY/ws" --timeout 20 >events.jsonl &
client=$!
trap 'kill $client 2>/dev/null' EXIT
until grep -q auto_subscribed events.jsonl; do sleep 0.1; done

echo '{"token":"SHELL","chainId":1,"price":"2150.45"}' | kcat -P -b "$KAFKA" -t price.updates
until grep '"token":"SHELL"' events.jsonl; do sleep 0.1; done
curl -s "http://$GATEWAY/health"
