#!/bin/sh
# proftpd.sh: ProFTPD 1.3.8 (unpacked below $ROOT) on 127.0.0.1:$PORT, users alice/alicepw and bob/bobpw, files in
# $WORK/proftpd-$PORT/home/USER. The pid that you start is the server; README.md lists the knobs.
set -eu
: "${WORK:?}" "${PORT:=42121}" "${PASV_MIN:=44000}" "${PASV_MAX:=44255}" "${ROOT:=/opt/realservers}" "${RUNUSER:=nobody}"
: "${MODE:=optional}" "${REUSE:=yes}" "${TLS_VERSION:=}" "${IDLE_TIMEOUT:=600}" "${PASV_ADDRESS:=}" "${LOG_PROTOCOL:=no}"
: "${MAX_INSTANCES:=none}" "${MAX_CLIENTS:=none}" "${MAX_PER_IP:=none}" "${MAX_PER_USER:=none}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}"
BIN=$ROOT/usr/sbin/proftpd MODULES=$ROOT/usr/lib/proftpd
[ -x "$BIN" ] || BIN=/usr/sbin/proftpd MODULES=/usr/lib/proftpd

options=
case $MODE in
  optional) required=off ;;
  force) required=on ;;
  implicit) required=on options=UseImplicitSSL ;;
  *) echo "MODE=$MODE: optional, force or implicit" >&2; exit 2 ;;
esac
[ "$REUSE" = yes ] || options="$options NoSessionReuseRequired"
case $TLS_VERSION in
  '') protocols='TLSv1.2 TLSv1.3' ;;
  1.2 | 1.3) protocols=TLSv$TLS_VERSION ;;
  *) echo "TLS_VERSION=$TLS_VERSION: 1.2 or 1.3" >&2; exit 2 ;;
esac
"$HERE/cert.sh" "$CERT_DIR"
D=$WORK/proftpd-$PORT
mkdir -p "$D"
chmod 755 "$WORK" "$D"
uid=$(id -u "$RUNUSER") gid=$(id -g "$RUNUSER") group=$(id -gn "$RUNUSER")
: > "$D/passwd"
chmod 600 "$D/passwd"
for u in alice bob; do
  mkdir -p "$D/home/$u"
  chown "$uid:$gid" "$D/home/$u"
  echo "$u:$(openssl passwd -1 "${u}pw"):$uid:$gid:$u:$D/home/$u:/bin/sh" >> "$D/passwd"
done

cat > "$D/proftpd.conf" <<CONF
ModulePath $MODULES
LoadModule mod_tls.c
LoadModule mod_tls_shmcache.c
LoadModule mod_digest.c
LoadModule mod_deflate.c
LoadModule mod_copy.c
LoadModule mod_site_misc.c
ServerType standalone
ServerName "proftpd"
DefaultServer on
DefaultAddress 127.0.0.1
SocketBindTight on
Port $PORT
UseIPv6 off
UseReverseDNS off
PassivePorts $PASV_MIN $PASV_MAX
${PASV_ADDRESS:+MasqueradeAddress $PASV_ADDRESS}
User $RUNUSER
Group $group
AuthOrder mod_auth_file.c
AuthUserFile $D/passwd
AuthPAM off
RequireValidShell off
RootLogin off
DefaultRoot ~
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
MaxInstances $MAX_INSTANCES
MaxClients $MAX_CLIENTS
MaxClientsPerHost $MAX_PER_IP
MaxClientsPerUser $MAX_PER_USER
MaxLoginAttempts 3
TimeoutIdle $IDLE_TIMEOUT
TimesGMT on
PidFile $D/pid
ScoreboardFile $D/scoreboard
ControlsEngine off
DelayEngine off
WtmpLog off
SystemLog $D/proftpd.log
TransferLog none
$([ "$LOG_PROTOCOL" = no ] || echo "ExtendedLog $D/commands.log ALL")
DigestEngine on
DigestAlgorithms all
DigestMaxSize 4 GB
DeflateEngine on
DeflateLog $D/deflate.log
CopyEngine on
TLSEngine on
TLSRequired $required
TLSProtocol $protocols
TLSLog $D/tls.log
TLSRSACertificateFile $CERT_DIR/cert.pem
TLSRSACertificateKeyFile $CERT_DIR/key.pem
TLSVerifyClient off
TLSRenegotiate none
# A full cache kills every TLS 1.3 session of the server (a bug of mod_tls): room for 100,000 of them.
TLSSessionCache shm:/file=$D/sesscache\&size=20000000
TLSSessionTickets on
${options:+TLSOptions $options}
<Directory />
  AllowOverwrite on
</Directory>
CONF
exec "$BIN" -n -c "$D/proftpd.conf"
