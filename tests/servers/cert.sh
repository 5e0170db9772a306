#!/bin/sh
# cert.sh DIR: a private CA and what it signed. Idempotent, and safe when several recipes start at once.
#   ca.pem             what clients trust
#   cert.pem, key.pem  leaf + CA for localhost and 127.0.0.1, and its key;  both.pem has key and chain in one file
#   client-alice.pem   client certificate with CN=alice, for SASL EXTERNAL
set -eu
DIR=${1:?directory}
mkdir -p "$DIR"
cd "$DIR"
exec 9>.lock
flock 9
[ ! -s both.pem ] || exit 0

openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -sha256 -keyout ca.key -out ca.pem \
  -subj "/CN=Loopback Test CA" -addext keyUsage=critical,keyCertSign,cRLSign 2>err.log

# sign NAME SUBJECT: reads the extensions from standard input
sign() {
  cat > "$1.cnf"
  openssl req -newkey rsa:2048 -nodes -sha256 -keyout "$1.key" -out "$1.req" -subj "$2" 2>>err.log
  openssl x509 -req -in "$1.req" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -sha256 \
    -extfile "$1.cnf" -out "$1.pem" 2>>err.log
}
sign leaf /CN=localhost <<CNF
basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,IP:127.0.0.1
CNF
sign client /CN=alice <<CNF
basicConstraints=CA:FALSE
extendedKeyUsage=clientAuth
CNF

mv leaf.key key.pem
cat leaf.pem ca.pem > cert.pem
cat client.key client.pem > client-alice.pem
cat key.pem cert.pem > both.pem.tmp
chmod 600 key.pem ca.key client.key client-alice.pem both.pem.tmp
chmod 644 ca.pem cert.pem
mv both.pem.tmp both.pem # last: its presence says that everything is there
