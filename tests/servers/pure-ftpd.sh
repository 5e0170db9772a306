#!/bin/sh
# pure-ftpd.sh: Pure-FTPd 1.0.50 (unpacked below $ROOT) on 127.0.0.1:$PORT, user $FTP_USER (alice) with password
# alicepw, files in $WORK/pure-ftpd-$PORT/home/$FTP_USER. The pid that you start is the server; README.md lists the
# knobs.
set -eu
: "${WORK:?}" "${PORT:=42221}" "${PASV_MIN:=45000}" "${PASV_MAX:=45255}" "${ROOT:=/opt/realservers}" "${RUNUSER:=nobody}"
: "${MODE:=optional}" "${TLS_VERSION:=}" "${PASV_ADDRESS:=127.0.0.1}" "${IDLE_MINUTES:=15}"
: "${FTP_USER:=alice}" "${MAX_CLIENTS:=1000}" "${MAX_PER_IP:=1000}" "${MAX_PER_USER:=}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}"
BIN=$ROOT/usr/sbin/pure-ftpd PUREPW=$ROOT/usr/bin/pure-pw
[ -x "$BIN" ] || BIN=/usr/sbin/pure-ftpd PUREPW=/usr/bin/pure-pw

case $MODE in
  optional) tls=1 ;;
  force-control) tls=2 ;;
  force) tls=3 ;;
  *) echo "MODE=$MODE: optional, force-control or force (it has no implicit TLS)" >&2; exit 2 ;;
esac
"$HERE/cert.sh" "$CERT_DIR"
. "$HERE/openssl.sh"
D=$WORK/pure-ftpd-$PORT
mkdir -p "$D"
chmod 755 "$WORK" "$D"
pin_tls "$D" "$TLS_VERSION"
uid=$(id -u "$RUNUSER") gid=$(id -g "$RUNUSER")
rm -f "$D/passwd" "$D/pdb"
mkdir -p "$D/home/$FTP_USER"
chown "$uid:$gid" "$D/home/$FTP_USER"
# Not `pure-pw useradd`: its argon2id costs seconds a hash, and seconds a login. crypt() hashes work too.
# account:password:uid:gid:gecos:home:4 bandwidths and ratios:sessions:2 quotas:4 address lists:times
hash=$(openssl passwd -6 -salt test alicepw)
echo "$FTP_USER:$hash:$uid:$gid::$D/home/$FTP_USER/./:::::$MAX_PER_USER:::::::" > "$D/passwd"
"$PUREPW" mkdb "$D/pdb" -f "$D/passwd"

exec "$BIN" -S "127.0.0.1,$PORT" -4 -A -E -H -u 1 -l "puredb:$D/pdb" -Y $tls -2 "$CERT_DIR/both.pem" \
  -c "$MAX_CLIENTS" -C "$MAX_PER_IP" -I "$IDLE_MINUTES" -p "$PASV_MIN:$PASV_MAX" -P "$PASV_ADDRESS" -L 100000:100 -z \
  -g "$D/pid" -O "clf:$D/transfer.log" -f none 0>&2 # it reports configuration errors on fd 0
