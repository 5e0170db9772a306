#!/bin/sh
# exim4.sh: Exim 4.96 (unpacked below $ROOT): SMTP_PORT (STARTTLS), SMTPS_PORT (implicit TLS), LMTP_PORT of dovecot.sh.
# DELIVERY=lmtp | maildir ($MAILROOT/<user>/Maildir/). Users $USERS with password <user>pw; needs the account Debian-exim.
# MAX_MESSAGE_SIZE, MAX_CLIENTS, MAX_MESSAGES (of one session), MAX_RECIPIENTS (of one transaction), MAX_NONMAIL (commands
# of one session that carry no mail); EXTRA: lines for the main section.
set -eu
: "${WORK:?}" "${SMTP_PORT:=41725}" "${SMTPS_PORT:=41765}" "${LMTP_PORT:=41024}" "${DELIVERY:=lmtp}" "${USERS:=alice bob carol dave}" \
  "${RUNUSER:=nobody}" "${ROOT:=/opt/realservers}" "${MAX_MESSAGE_SIZE:=50M}" "${MAX_CLIENTS:=1000}" "${MAX_MESSAGES:=0}" \
  "${MAX_RECIPIENTS:=0}" "${MAX_NONMAIL:=1000000}" "${EXTRA:=}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}" "${MAILROOT:=$WORK/mail}"
BIN=$ROOT/usr/sbin/exim4; [ -x "$BIN" ] || BIN=/usr/sbin/exim4
"$HERE/cert.sh" "$CERT_DIR"
D=$WORK/exim-$SMTP_PORT; mkdir -p "$D/spool" "$D/log" "$MAILROOT"; chmod 755 "$WORK" "$D"
uid=$(id -u "$RUNUSER"); gid=$(id -g "$RUNUSER")
: > "$D/users"; : > "$D/rcpts"; for u in $USERS; do echo "$u: ${u}pw" >> "$D/users"; echo "$u: $u" >> "$D/rcpts"; mkdir -p "$MAILROOT/$u"; chown "$uid:$gid" "$MAILROOT/$u"; done
cp "$CERT_DIR/key.pem" "$D/key.pem"; chmod 600 "$D/key.pem"
cat > "$D/exim.conf" <<CONF
exim_path = $BIN
exim_user = $uid
exim_group = $gid
never_users =
keep_environment =
deliver_drop_privilege = true
primary_hostname = mail.example.test
qualify_domain = example.test
spool_directory = $D/spool
log_file_path = $D/log/%slog
pid_file_path = $D/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = $SMTP_PORT : $SMTPS_PORT
tls_on_connect_ports = $SMTPS_PORT
tls_advertise_hosts = *
tls_certificate = $CERT_DIR/cert.pem
tls_privatekey = $D/key.pem
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
pipelining_connect_advertise_hosts = *
prdr_enable = true
auth_advertise_hosts = *
smtp_accept_max = $MAX_CLIENTS
smtp_accept_max_per_connection = $MAX_MESSAGES
smtp_accept_max_nonmail = $MAX_NONMAIL
smtp_max_unknown_commands = 1000
smtp_max_synprot_errors = 1000
smtp_connect_backlog = 200
recipients_max = $MAX_RECIPIENTS
recipients_max_reject = false
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
message_size_limit = $MAX_MESSAGE_SIZE
host_lookup =
rfc1413_query_timeout = 0s
smtp_enforce_sync = true
smtp_banner = \$primary_hostname ESMTP Exim
split_spool_directory = false
acl_smtp_mail = accept
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
acl_smtp_vrfy = accept
acl_smtp_expn = accept
acl_smtp_etrn = deny
$EXTRA
begin acl
rcpt:
  deny  message = relay not permitted
        domains = ! example.test : ! localhost
  deny  message = User unknown
        ! verify = recipient
  accept
begin routers
users:
  driver = accept
  domains = example.test : localhost
  local_part_suffix = +*
  local_part_suffix_optional
  local_parts = lsearch;$D/rcpts
  transport = $DELIVERY
begin transports
lmtp:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = $LMTP_PORT
  allow_localhost
  hosts_override
  connection_max_messages = 500
  hosts_avoid_tls = *
maildir:
  driver = appendfile
  directory = $MAILROOT/\$local_part_data/Maildir
  maildir_format
  create_directory
  return_path_add
  envelope_to_add
  delivery_date_add
  user = $uid
  group = $gid
begin retry
* * F,1h,5s
begin rewrite
begin authenticators
PLAIN:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if eq{\$auth3}{\${lookup{\$auth2}lsearch{$D/users}{\$value}fail}}}
  server_set_id = \$auth2
LOGIN:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if eq{\$auth2}{\${lookup{\$auth1}lsearch{$D/users}{\$value}fail}}}
  server_set_id = \$auth1
CRAM:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${lookup{\$auth1}lsearch{$D/users}{\$value}fail}
  server_set_id = \$auth1
CONF
chown -R "$uid:$gid" "$D/spool" "$D/log" "$D/key.pem" "$D/users"; chown "$uid:$gid" "$D"
chown root:root "$D/exim.conf"; chmod 644 "$D/exim.conf"
exec "$BIN" -C "$D/exim.conf" -bdf -q30s
