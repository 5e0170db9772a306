#!/bin/sh
# dovecot.sh: Dovecot 2.3 (apt) with IMAP, POP3, LMTP, submission and an auth socket, one port each; RELAY_PORT is the SMTP
# server behind submission. Users $USERS with password <user>pw, bearer token tok-<user>, SASL EXTERNAL with
# client-alice.pem. LMTP listens on $WORK/dovecot-$IMAP_PORT/run/lmtp too. SUBMISSIONS_PORT (implicit TLS) is optional.
#   MODE=open (plaintext logins allowed) | required (IMAP and POP3: LOGINDISABLED until STARTTLS). Dovecot takes a client
#     with its own address for a secure one; so IMAP_PORT and POP3_PORT are then those of proxyfwd.py, which makes clients
#     foreign, and Dovecot itself listens on IMAP_REQUIRED_PORT and POP3_REQUIRED_PORT.
#   WITHOUT="MOVE UIDPLUS": IMAP capabilities that are not announced (their commands still work)
#   MECHANISMS: those of SASL, and apop;  QUOTA (kB), QUOTA_MESSAGES: of each user;  MAX_PER_USER: sessions of a user
#   MAX_MESSAGE_SIZE: of submission;  EXTRA: lines at the end of dovecot.conf
set -eu
: "${WORK:?}" "${IMAP_PORT:=41143}" "${IMAPS_PORT:=41993}" "${POP3_PORT:=41110}" "${POP3S_PORT:=41995}" "${LMTP_PORT:=41024}" \
  "${SUBMISSION_PORT:=41587}" "${SUBMISSIONS_PORT:=}" "${AUTH_PORT:=41090}" "${RELAY_PORT:=41025}" "${MODE:=open}" \
  "${IMAP_REQUIRED_PORT:=41144}" "${POP3_REQUIRED_PORT:=41111}" "${USERS:=alice bob carol dave}" "${RUNUSER:=nobody}" \
  "${MAX_MESSAGE_SIZE:=50M}" "${WITHOUT:=}" "${QUOTA:=10485760}" "${QUOTA_MESSAGES:=1000000}" "${MAX_PER_USER:=2000}" "${EXTRA:=}" \
  "${MECHANISMS:=plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 apop oauthbearer xoauth2 external}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}" "${MAILROOT:=$WORK/mail}"
"$HERE/cert.sh" "$CERT_DIR"
D=$WORK/dovecot-$IMAP_PORT; mkdir -p "$D/state" "$MAILROOT"; chmod 755 "$WORK" "$D"
uid=$(id -u "$RUNUSER"); gid=$(id -g "$RUNUSER"); grp=$(id -gn "$RUNUSER")
: > "$D/users"; : > "$D/tokens"
for u in $USERS; do
  mkdir -p "$MAILROOT/$u"; chown "$uid:$gid" "$MAILROOT/$u"
  echo "$u:{PLAIN}${u}pw:$uid:$gid::$MAILROOT/$u" >> "$D/users"
  echo "$u:{PLAIN}tok-$u" >> "$D/tokens"
done
chown dovecot "$D/users" "$D/tokens"; chmod 600 "$D/users" "$D/tokens"
imap_port=$IMAP_PORT pop3_port=$POP3_PORT foreign=no
case $MODE in
  open) ssl=yes; plain=no ;;
  required) ssl=required; plain=yes; foreign=yes; imap_port=$IMAP_REQUIRED_PORT; pop3_port=$POP3_REQUIRED_PORT ;;
  *) echo "MODE=$MODE: open or required" >&2; exit 2 ;;
esac
# What Dovecot announces by itself with the plugins below. If it is told what to announce, it announces just that.
capabilities=
if [ -n "$WITHOUT" ]; then
  for c in IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS \
    THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST- \
    EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS \
    BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY METADATA \
    SPECIAL-USE COMPRESS=DEFLATE QUOTA; do
    case " $WITHOUT " in *" $c "*) ;; *) capabilities="$capabilities $c" ;; esac
  done
  capabilities="imap_capability =$capabilities"
fi
tls() { [ -z "$2" ] || printf 'inet_listener %s {\n port = %s\n ssl = yes\n }\n' "$1" "$2"; }
cat > "$D/dovecot.conf" <<CONF
base_dir = $D/run
state_dir = $D/state
instance_name = test-$IMAP_PORT
log_path = $D/dovecot.log
auth_verbose = yes
auth_failure_delay = 0
auth_cache_size = 0
listen = 127.0.0.1
protocols = imap pop3 lmtp submission
hostname = localhost
ssl = $ssl
disable_plaintext_auth = $plain
ssl_cert = <$CERT_DIR/cert.pem
ssl_key = <$CERT_DIR/key.pem
ssl_min_protocol = TLSv1.2
login_trusted_networks =
haproxy_trusted_networks = 127.0.0.1
auth_mechanisms = $MECHANISMS
auth_username_format = %Ln
auth_ssl_username_from_cert = yes
ssl_ca = <$CERT_DIR/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
ssl_cert_username_field = commonName
passdb {
  driver = static
  mechanisms = external
  args = nopassword=y
}
passdb {
  driver = passwd-file
  mechanisms = oauthbearer xoauth2
  args = $D/tokens
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 apop
  args = $D/users
}
userdb {
  driver = passwd-file
  args = $D/users
}
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota notify
mail_max_userip_connections = $MAX_PER_USER
mail_attribute_dict = file:%h/dovecot-attributes
default_process_limit = 2000
default_client_limit = 2000
default_vsz_limit = 0
verbose_proctitle = no
mailbox_list_index = yes
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=${QUOTA}k:messages=$QUOTA_MESSAGES
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \Drafts
    auto = create
  }
  mailbox Sent {
    special_use = \Sent
    auto = create
  }
  mailbox Trash {
    special_use = \Trash
    auto = create
  }
  mailbox Junk {
    special_use = \Junk
    auto = create
  }
  mailbox Archive {
    special_use = \Archive
    auto = create
  }
}
protocol imap {
  mail_plugins = quota notify imap_quota imap_zlib
  imap_metadata = yes
  imap_literal_minus = no
}
protocol pop3 {
  pop3_uidl_format = %08Xu%08Xv
}
protocol lmtp {
  postmaster_address = postmaster@localhost
  lmtp_save_to_detail_mailbox = yes
}
recipient_delimiter = +
submission_relay_host = 127.0.0.1
submission_relay_port = $RELAY_PORT
submission_relay_ssl = no
submission_relay_trusted = no
submission_max_mail_size = $MAX_MESSAGE_SIZE
service imap-login {
  service_count = 0
  process_limit = 4
  client_limit = 2000
  inet_listener imap {
    port = $imap_port
    haproxy = $foreign
  }
  inet_listener imaps {
    port = $IMAPS_PORT
    ssl = yes
  }
}
service pop3-login {
  service_count = 0
  process_limit = 4
  client_limit = 2000
  inet_listener pop3 {
    port = $pop3_port
    haproxy = $foreign
  }
  inet_listener pop3s {
    port = $POP3S_PORT
    ssl = yes
  }
}
service submission-login {
  service_count = 0
  process_limit = 4
  client_limit = 2000
  inet_listener submission {
    port = $SUBMISSION_PORT
  }
  $(tls submissions "$SUBMISSIONS_PORT")
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = $LMTP_PORT
  }
}
service imap-urlauth-login {
  process_limit = 1
}
service anvil {
  client_limit = 8000
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  client_limit = 8000
  inet_listener {
    address = 127.0.0.1
    port = $AUTH_PORT
  }
}
$capabilities
$EXTRA
CONF
# It ends with Dovecot: a child of this pid, and the death of this pid ends it.
[ "$MODE" = open ] || setpriv --pdeathsig TERM python3 "$HERE/proxyfwd.py" \
  "$IMAP_PORT" "$IMAP_REQUIRED_PORT" "$POP3_PORT" "$POP3_REQUIRED_PORT" &
exec /usr/sbin/dovecot -F -c "$D/dovecot.conf"
