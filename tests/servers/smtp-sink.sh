#!/bin/sh
# smtp-sink.sh: accepts and drops everything on 127.0.0.1:$PORT. $EXTRA is passed on:
#   -E no enhanced codes, -p no PIPELINING, -e HELO only, -f RCPT 5xx at RCPT, -r DATA 4xx at DATA,
#   -q MAIL drop the link at MAIL, -w 2 delay the reply to DATA, -L LMTP
set -eu
: "${PORT:=41925}" "${EXTRA:=}"
# shellcheck disable=SC2086  # several options
exec /usr/sbin/smtp-sink -u nobody $EXTRA -c "127.0.0.1:$PORT" 1000
