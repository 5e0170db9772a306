#!/bin/sh
# cyrus.sh: Cyrus 3.6 (unpacked below $ROOT) with IMAP, POP3, NNTP and LMTP, one port each. Users $USERS with password
# <user>pw, administrator cyrusadm/cyrusadmpw.
#   MODE=open | required (LOGINDISABLED before TLS)
#   WITHOUT="MOVE UIDPLUS": IMAP capabilities that are not announced;  MECHANISMS: those of SASL
#   QUOTA (kB), QUOTA_MESSAGES: of each user;  MAX_PER_USER: sessions of a user;  EXTRA: lines at the end of imapd.conf
set -eu
: "${WORK:?}" "${IMAP_PORT:=41243}" "${IMAPS_PORT:=41293}" "${POP3_PORT:=41210}" "${POP3S_PORT:=41295}" "${NNTP_PORT:=41219}" \
  "${NNTPS_PORT:=41263}" "${LMTP_PORT:=41224}" "${USERS:=alice bob carol dave}" "${RUNUSER:=nobody}" "${MODE:=open}" "${ROOT:=/opt/realservers}" \
  "${WITHOUT:=}" "${QUOTA:=10485760}" "${QUOTA_MESSAGES:=1000000}" "${MAX_PER_USER:=0}" "${EXTRA:=}" \
  "${MECHANISMS:=PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}"
"$HERE/cert.sh" "$CERT_DIR"
D=$WORK/cyrus-$IMAP_PORT; B=$ROOT/usr/lib/cyrus/bin; chmod 755 "$WORK"
LIB=$(ls -d "$ROOT"/usr/lib/*-linux-gnu | head -1)
export LD_LIBRARY_PATH="$LIB"
SP=$ROOT/usr/sbin/saslpasswd2; [ -x "$SP" ] || SP=/usr/sbin/saslpasswd2
for d in db proc socket log msg ptclient lock sieve backup user quota rpm md5 sync; do mkdir -p "$D/lib/$d"; done; mkdir -p "$D/spool"
cp "$CERT_DIR/cert.pem" "$CERT_DIR/key.pem" "$D/"
host=$(hostname)
case $MODE in open) plain=yes ;; required) plain=no ;; *) echo "MODE=$MODE: open or required" >&2; exit 2 ;; esac
for u in $USERS cyrusadm; do printf %s "${u}pw" | "$SP" -p -c -f "$D/sasldb2" -u "$host" "$u"; done
cat > "$D/imapd.conf" <<CONF
configdirectory: $D/lib
proc_path: $D/lib/proc
mboxname_lockpath: $D/lib/lock
defaultpartition: default
partition-default: $D/spool
newsprefix: news
newspostuser: post
allownewnews: yes
cyrus_user: $RUNUSER
cyrus_group: $(id -gn "$RUNUSER")
servername: $host
admins: cyrusadm
altnamespace: yes
unixhierarchysep: yes
autocreate_quota: $QUOTA
autocreate_quota_messages: $QUOTA_MESSAGES
autocreate_post: yes
autocreate_inbox_folders: Sent | Drafts | Trash
quotawarnsize: 0
reject8bit: no
munge8bit: no
allowplaintext: $plain
allowapop: yes
popminpoll: 0
poptimeout: 10
imapidlepoll: 1
timeout: 30
maxlogins_per_host: 0
maxlogins_per_user: $MAX_PER_USER
duplicatesuppression: no
delete_mode: immediate
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: $D/sasldb2
sasl_mech_list: $MECHANISMS
tls_server_cert: $D/cert.pem
tls_server_key: $D/key.pem
tls_versions: tls1_2 tls1_3
lmtpsocket: $D/lib/socket/lmtp
idlesocket: $D/lib/socket/idle
notifysocket: $D/lib/socket/notify
syslog_prefix: cyrus
sendmail: /bin/true
${WITHOUT:+suppress_capabilities: $WITHOUT}
$EXTRA
CONF
cat > "$D/cyrus.conf" <<CONF
START {
  recover cmd="$B/ctl_cyrusdb -C $D/imapd.conf -r"
}
SERVICES {
  imap  cmd="$B/imapd -C $D/imapd.conf -U 30"    listen="127.0.0.1:$IMAP_PORT"  prefork=1 maxchild=1000
  imaps cmd="$B/imapd -C $D/imapd.conf -s -U 30" listen="127.0.0.1:$IMAPS_PORT" prefork=1 maxchild=1000
  pop3  cmd="$B/pop3d -C $D/imapd.conf -U 30"    listen="127.0.0.1:$POP3_PORT"  prefork=1 maxchild=1000
  pop3s cmd="$B/pop3d -C $D/imapd.conf -s -U 30" listen="127.0.0.1:$POP3S_PORT" prefork=0 maxchild=1000
  nntp  cmd="$B/nntpd -C $D/imapd.conf -U 30"    listen="127.0.0.1:$NNTP_PORT"  prefork=1 maxchild=1000
  nntps cmd="$B/nntpd -C $D/imapd.conf -s -U 30" listen="127.0.0.1:$NNTPS_PORT" prefork=0 maxchild=1000
  lmtp  cmd="$B/lmtpd -C $D/imapd.conf -a"       listen="127.0.0.1:$LMTP_PORT"  prefork=0 maxchild=100
}
EVENTS {
  checkpoint cmd="$B/ctl_cyrusdb -C $D/imapd.conf -c" period=30
}
DAEMON {
  idled cmd="$B/idled -C $D/imapd.conf"
}
CONF
[ "$(id -u)" != 0 ] || chown -R "$RUNUSER:$(id -gn "$RUNUSER")" "$D"
cd "$D"
# Nothing here outlives the machine, and Cyrus would wait for the disk several times a message.
LD_PRELOAD=libeatmydata.so exec "$B/master" -C "$D/imapd.conf" -M "$D/cyrus.conf" -p "$D/master.pid" -D
