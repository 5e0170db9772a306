#!/bin/sh
# postfix.sh: Postfix 3.7 (apt): SMTP_PORT (STARTTLS offered), SMTPS_PORT (implicit TLS), SUBMISSION_PORT (STARTTLS and AUTH
# required); LMTP_PORT and AUTH_PORT are those of dovecot.sh. Mail for <user>@example.test and <user>@localhost.
# DELIVERY=lmtp | maildir (virtual(8) into $MAILROOT/<user>/Maildir/) | discard.
# SMTPUTF8 mail needs DELIVERY=maildir: Dovecot's LMTP has no SMTPUTF8, and Postfix then bounces.
# Start dovecot.sh first: an smtpd without its AUTH_PORT dies and is throttled for 60 s.
# MAX_MESSAGE_SIZE, MAX_RECIPIENTS (of one transaction), MAX_ERRORS (of one session); EXTRA: lines for main.cf.
set -eu
: "${WORK:?}" "${SMTP_PORT:=41025}" "${SMTPS_PORT:=41465}" "${SUBMISSION_PORT:=41588}" "${LMTP_PORT:=41024}" "${AUTH_PORT:=41090}" \
  "${DELIVERY:=lmtp}" "${USERS:=alice bob carol dave}" "${RUNUSER:=nobody}" "${CATCHALL:=}" \
  "${MAX_MESSAGE_SIZE:=52428800}" "${MAX_RECIPIENTS:=1000}" "${MAX_ERRORS:=1000000}" "${EXTRA:=}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}" "${MAILROOT:=$WORK/mail}"
"$HERE/cert.sh" "$CERT_DIR"
D=$WORK/postfix-$SMTP_PORT; C=$D/conf; mkdir -p "$C" "$D/data" "$D/queue"
chmod 755 "$WORK" "$D" "$C"; chown postfix "$D/data"
uid=$(id -u "$RUNUSER"); gid=$(id -g "$RUNUSER")
: > "$C/users"
for u in $USERS; do for d in example.test localhost; do echo "$u@$d $u/Maildir/" >> "$C/users"; done; done
[ -z "$CATCHALL" ] || for d in example.test localhost; do echo "@$d $CATCHALL/Maildir/" >> "$C/users"; done
case $DELIVERY in lmtp) vt=lmtp:inet:127.0.0.1:$LMTP_PORT ;; maildir) vt=virtual ;; discard) vt=discard ;; *) exit 2 ;; esac
cat > "$C/main.cf" <<CONF
compatibility_level = 3.6
myhostname = mail.example.test
mydomain = example.test
queue_directory = $D/queue
data_directory = $D/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
maillog_file = $D/mail.log
maillog_file_prefixes = $D
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtp_host_lookup = native
disable_dns_lookups = yes
alias_maps =
alias_database =
mydestination =
local_recipient_maps =
local_transport = error:no local delivery
default_transport = error:no outbound mail from the test lab
relay_transport = error:no outbound mail from the test lab
virtual_mailbox_domains = example.test, localhost
virtual_mailbox_maps = texthash:$C/users
virtual_mailbox_base = $MAILROOT
virtual_uid_maps = static:$uid
virtual_gid_maps = static:$gid
virtual_minimum_uid = 1
virtual_transport = $vt
lmtp_destination_recipient_limit = 50
recipient_delimiter = +
smtputf8_enable = yes
strict_smtputf8 = no
message_size_limit = $MAX_MESSAGE_SIZE
mailbox_size_limit = 0
virtual_mailbox_limit = 0
disable_vrfy_command = no
smtpd_banner = \$myhostname ESMTP Postfix
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_helo_required = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = $MAX_ERRORS
smtpd_hard_error_limit = $MAX_ERRORS
smtpd_junk_command_limit = $MAX_ERRORS
smtpd_recipient_limit = $MAX_RECIPIENTS
# 1 s a message whenever more comes in than has been delivered
in_flow_delay = 0
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 2s
# content arrives as it was sent: no headers added or rewritten for clients on this machine, none dropped
local_header_rewrite_clients =
message_drop_headers =
smtpd_peername_lookup = no
default_process_limit = 200
smtpd_tls_security_level = may
smtpd_tls_cert_file = $CERT_DIR/cert.pem
smtpd_tls_key_file = $CERT_DIR/key.pem
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:$AUTH_PORT
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = no
$EXTRA
CONF
cat > "$C/master.cf" <<CONF
127.0.0.1:$SMTP_PORT inet n - n - - smtpd
127.0.0.1:$SMTPS_PORT inet n - n - - smtpd
  -o syslog_name=postfix/smtps -o smtpd_tls_wrappermode=yes
127.0.0.1:$SUBMISSION_PORT inet n - n - - smtpd
  -o syslog_name=postfix/submission -o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
CONF
# what `postfix check` would do, without its 2 s
for d in active bounce corrupt defer deferred flush hold incoming private saved trace public maildrop; do mkdir -p "$D/queue/$d"; chmod 700 "$D/queue/$d"; done
chown postfix "$D"/queue/*; mkdir -p "$D/queue/pid"
chgrp postdrop "$D/queue/public" "$D/queue/maildrop"; chmod 710 "$D/queue/public"; chmod 1730 "$D/queue/maildrop"
touch -d '1 minute ago' "$C"/*       # postfix re-reads a "hot" main.cf for 2 s before it starts
# not `postfix start-fg`: that leaves a shell as our pid and a SIGTERM to it does not stop master
exec /usr/lib/postfix/sbin/master -d -c "$C"
