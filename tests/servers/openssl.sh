# openssl.sh: sourced by the recipes of servers that cannot pin a TLS version themselves.

# pin_tls DIR VERSION: makes every OpenSSL context of the server speak VERSION (1.2 or 1.3) only; nothing when empty
pin_tls() {
  [ -n "$2" ] || return 0
  case $2 in 1.2 | 1.3) ;; *) echo "TLS_VERSION=$2: 1.2 or 1.3" >&2; exit 2 ;; esac
  cat > "$1/openssl.cnf" <<CNF
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = pinned
[pinned]
MinProtocol = TLSv$2
MaxProtocol = TLSv$2
CNF
  export OPENSSL_CONF="$1/openssl.cnf"
}
