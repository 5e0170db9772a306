#!/bin/sh
# install.sh: installs every server of this directory. Debian 12, as root, unattended; a second run changes nothing.
#
# Servers that get along come from apt. Those that conflict with them (another FTP server, another MTA) are unpacked
# privately below $ROOT with dpkg -x: no maintainer script runs, nothing is started, and apt knows nothing of them.
# Only the shared libraries that they need are installed.
set -eu
: "${ROOT:=/opt/realservers}"
export DEBIAN_FRONTEND=noninteractive

UNPACKED="proftpd-core proftpd-mod-crypto pure-ftpd pure-ftpd-common inn2 inn2-inews exim4-daemon-light exim4-base
  cyrus-common cyrus-imapd cyrus-pop3d cyrus-nntpd sasl2-bin libeatmydata1"
INSTALLED="openssl util-linux procps vsftpd dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-submissiond
  postfix libsasl2-modules libsasl2-modules-db"
BINARIES="usr/sbin/proftpd usr/sbin/pure-ftpd usr/bin/pure-pw usr/lib/news/bin/innd usr/lib/news/bin/nnrpd
  usr/sbin/exim4 usr/lib/cyrus/bin/imapd usr/sbin/saslpasswd2"
STAMPS=$ROOT/.unpacked # one file a package: the libraries that it depends on

apt() { apt-get -y -q -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"; }
# Package lists may be missing, or so old that their files are gone from the mirror: then fetch them and try once more.
apt_fresh() { apt "$@" || { apt update && apt "$@"; }; }

keep_services_down() {
  [ -e /usr/sbin/policy-rc.d ] && return
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

libraries_of() { # deb: the first alternative of each dependency that is a shared library
  { dpkg-deb -f "$1" Pre-Depends; dpkg-deb -f "$1" Depends; } | tr ',' '\n' \
    | sed 's/|.*//; s/^ *//; s/[ (:].*//' | grep '^lib' | grep -v -- '-perl$' || :
}

unpack_missing() {
  missing=
  for p in $UNPACKED; do [ -e "$STAMPS/$p" ] || missing="$missing $p"; done
  [ -n "$missing" ] || return 0
  debs=$(mktemp -d)
  # shellcheck disable=SC2086  # a list of packages
  (cd "$debs" && apt_fresh download $missing)
  for p in $missing; do
    dpkg -x "$debs/$p"_*.deb "$ROOT"
    libraries_of "$debs/$p"_*.deb > "$debs/stamp"
    mv "$debs/stamp" "$STAMPS/$p"
  done
  rm -rf "$debs"
}

install_missing() {
  missing=
  for p in $INSTALLED $(sort -u "$STAMPS"/*); do installed "$p" || missing="$missing $p"; done
  [ -n "$missing" ] || return 0
  # With "No configuration" postfix does not ask for a host name that resolves.
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
  # An unrelated package that is half configured makes apt-get fail although it did its work: look at each package.
  # shellcheck disable=SC2086
  apt_fresh --no-install-recommends install $missing || echo "apt-get failed; checking each package" >&2
  for p in $missing; do installed "$p" || { echo "NOT INSTALLED: $p" >&2; exit 1; }; done
}

make_accounts() {
  getent passwd Debian-exim >/dev/null || useradd -r -M -d /nonexistent -s /usr/sbin/nologin Debian-exim
  # vsftpd's local user; its home must exist
  getent passwd ftptest >/dev/null || useradd -M -N -g nogroup -d / -s /bin/sh ftptest
  usermod -p "$(openssl passwd -6 ftppass)" ftptest
}

check_binaries() {
  libs=$ROOT/usr/lib/news:$(for d in "$ROOT"/usr/lib/*-linux-gnu; do echo "$d"; break; done)
  for b in $BINARIES; do
    [ -x "$ROOT/$b" ] || { echo "MISSING: $ROOT/$b" >&2; exit 1; }
    if LD_LIBRARY_PATH=$libs ldd "$ROOT/$b" | grep 'not found' >&2; then echo "in $b" >&2; exit 1; fi
  done
}

mkdir -p "$STAMPS"
exec 9>"$ROOT/.lock"
flock 9
keep_services_down
unpack_missing
install_missing
make_accounts
check_binaries
echo "install.sh: every server is installed"
