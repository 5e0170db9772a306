#!/bin/sh
# vsftpd.sh: vsftpd 3.0.3 (apt) on 127.0.0.1:$PORT, user ftptest/ftppass (install.sh makes the account), files in
# $WORK/vsftpd-$PORT/ftp. The pid that you start is the server; README.md lists the knobs.
set -eu
: "${WORK:?}" "${PORT:=42021}" "${PASV_MIN:=43000}" "${PASV_MAX:=43255}" "${ROOT:=/opt/realservers}" "${FTP_USER:=ftptest}"
: "${MODE:=optional}" "${REUSE:=yes}" "${TLS_VERSION:=}" "${MAX_CLIENTS:=0}" "${MAX_PER_IP:=0}" "${IDLE_TIMEOUT:=300}"
: "${PASV:=yes}" "${PASV_ADDRESS:=127.0.0.1}" "${MAX_RATE:=0}" "${ANONYMOUS:=no}" "${LOG_PROTOCOL:=no}"
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}"
BIN=/usr/sbin/vsftpd
[ -x "$BIN" ] || BIN=$ROOT$BIN

case $MODE in
  optional) force=no implicit=no ;;
  force) force=yes implicit=no ;;
  implicit) force=yes implicit=yes ;;
  *) echo "MODE=$MODE: optional, force or implicit" >&2; exit 2 ;;
esac
"$HERE/cert.sh" "$CERT_DIR"
. "$HERE/openssl.sh"
D=$WORK/vsftpd-$PORT
mkdir -p "$D/empty" "$D/ftp"
chmod 755 "$WORK" "$D" "$D/empty"
# vsftpd refuses anonymous logins to a directory that they could write to.
if [ "$ANONYMOUS" = no ]; then chown "$FTP_USER" "$D/ftp"; else chown root "$D/ftp"; fi
pin_tls "$D" "$TLS_VERSION"

cat > "$D/vsftpd.conf" <<CONF
listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port=$PORT
background=NO
anonymous_enable=$ANONYMOUS
anon_root=$D/ftp
ftp_username=$FTP_USER
local_enable=YES
write_enable=YES
local_umask=022
local_root=$D/ftp
local_max_rate=$MAX_RATE
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir=$D/empty
pam_service_name=vsftpd
session_support=NO
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
max_clients=$MAX_CLIENTS
max_per_ip=$MAX_PER_IP
max_login_fails=3
idle_session_timeout=$IDLE_TIMEOUT
pasv_enable=$PASV
pasv_address=$PASV_ADDRESS
pasv_min_port=$PASV_MIN
pasv_max_port=$PASV_MAX
connect_from_port_20=NO
port_enable=YES
use_localtime=NO
utf8_filesystem=YES
mdtm_write=YES
ascii_download_enable=YES
ascii_upload_enable=YES
ls_recurse_enable=YES
xferlog_enable=YES
xferlog_std_format=NO
log_ftp_protocol=$LOG_PROTOCOL
vsftpd_log_file=$D/vsftpd.log
syslog_enable=NO
ssl_enable=YES
implicit_ssl=$implicit
force_local_logins_ssl=$force
force_local_data_ssl=$force
require_ssl_reuse=$REUSE
ssl_tlsv1=YES
ssl_sslv2=NO
ssl_sslv3=NO
ssl_ciphers=HIGH
strict_ssl_read_eof=YES
strict_ssl_write_shutdown=YES
rsa_cert_file=$CERT_DIR/cert.pem
rsa_private_key_file=$CERT_DIR/key.pem
CONF
exec "$BIN" "$D/vsftpd.conf" 0>&2 # it reports configuration errors on fd 0
