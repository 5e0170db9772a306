#!/bin/sh
# inn.sh: INN 2.7 (unpacked below $ROOT). NNTP_PORT is innd (127.0.0.1 is a transit peer with IHAVE and streaming; MODE READER
# hands over to nnrpd), READER_PORT an nnrpd daemon (STARTTLS), NNTPS_PORT an nnrpd daemon with implicit TLS.
#   MODE=open (anybody reads, reader/readerpw posts) | auth (everything needs AUTHINFO)
#     | required (like auth, and a password is taken after STARTTLS only: 483)
#   GROUPS_="misc.test misc.moderated:m misc.closed:n": groups to create, m is moderated, n is without posting
#   MECHANISMS: those of SASL;  OVMETHOD=tradindexed | ovsqlite;  EXTRA: lines at the end of inn.conf
# What is posted to a moderated group goes to $WORK/inn-NNTP_PORT/moderator, one file a message.
set -eu
: "${WORK:?}" "${NNTP_PORT:=41119}" "${READER_PORT:=41120}" "${NNTPS_PORT:=41563}" "${MODE:=open}" "${OVMETHOD:=tradindexed}" \
  "${ROOT:=/opt/realservers}" "${RUNUSER:=news}" "${GROUPS_:=misc.test misc.other misc.moderated:m misc.closed:n}" "${EXTRA:=}" \
  "${MECHANISMS:=PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256}"
default= require_encryption=
case $MODE in
  open) default='default: "anon"' ;;
  auth) ;;
  required) require_encryption='require_encryption: true' ;;
  *) echo "MODE=$MODE: open, auth or required" >&2; exit 2 ;;
esac
HERE=$(cd "$(dirname "$0")" && pwd)
: "${CERT_DIR:=$WORK/cert}"
BIN=$ROOT/usr/lib/news/bin; LIB=$ROOT/usr/lib/news
[ -x "$BIN/innd" ] || { BIN=/usr/lib/news/bin; LIB=/usr/lib/news; }
"$HERE/cert.sh" "$CERT_DIR"
D=$WORK/inn-$NNTP_PORT; chmod 755 "$WORK"
for d in etc db run log spool/articles spool/overview spool/incoming/bad spool/outgoing spool/archive tmp filter http moderator; do mkdir -p "$D/$d"; done
grp=$(id -gn "$RUNUSER")
cp "$CERT_DIR/cert.pem" "$CERT_DIR/key.pem" "$D/etc/"; chmod 640 "$D/etc/key.pem"    # nnrpd refuses a key that others can read
echo "reader:$(openssl passwd -6 -salt test readerpw)" > "$D/etc/newsusers"
# AUTHINFO SASL (Cyrus SASL; application name INN -> INN.conf) with a private sasldb; needs saslpasswd2 (package sasl2-bin)
SP=$ROOT/usr/sbin/saslpasswd2; [ -x "$SP" ] || SP=/usr/sbin/saslpasswd2
printf '%s\n' 'pwcheck_method: auxprop' 'auxprop_plugin: sasldb' "sasldb_path: $D/etc/sasldb2" \
  "mech_list: $MECHANISMS" > "$D/etc/INN.conf"
export SASL_CONF_PATH="$D/etc"
[ ! -x "$SP" ] || [ -s "$D/etc/sasldb2" ] || printf readerpw | "$SP" -p -c -f "$D/etc/sasldb2" -u "${SASL_REALM:-$(hostname)}" reader
cat > "$D/etc/inn.conf" <<CONF
domain: example.test
pathhost: news.example.test
server: 127.0.0.1
organization: "Loopback Test"
mta: "$D/moderator.sh %s"
mailcmd: /bin/true
runasuser: $RUNUSER
runasgroup: $grp
pathnews: $LIB
pathbin: $BIN
pathdb: $D/db
pathetc: $D/etc
pathrun: $D/run
pathlog: $D/log
pathhttp: $D/http
pathspool: $D/spool
patharticles: $D/spool/articles
pathoverview: $D/spool/overview
pathincoming: $D/spool/incoming
pathoutgoing: $D/spool/outgoing
patharchive: $D/spool/archive
pathtmp: $D/tmp
pathfilter: $D/filter
hismethod: hisv6
ovmethod: $OVMETHOD
enableoverview: true
wireformat: true
port: $NNTP_PORT
bindaddress: 127.0.0.1
artcutoff: 0
maxartsize: 0
localmaxartsize: 0
maxconnections: 500
pgpverify: false
allownewnews: true
noreader: false
readerswhenstopped: true
htmlstatus: false
incominglogfrequency: 2000
clienttimeout: 1800
initialtimeout: 60
xmitdelay: 0
icdsynccount: 1
tlscafile: $CERT_DIR/ca.pem
tlscertfile: $D/etc/cert.pem
tlskeyfile: $D/etc/key.pem
tlsprotocols: [ TLSv1.2 TLSv1.3 ]
$EXTRA
CONF
cat > "$D/etc/storage.conf" <<'CONF'
method tradspool {
    newsgroups: *
    class: 0
}
CONF
echo '*:A:1:90:never' > "$D/etc/expire.ctl"
echo 'ME:*::' > "$D/etc/newsfeeds"
printf '%s\n' 'streaming: true' 'max-connections: 500' 'peer ME {' '  hostname: "127.0.0.1"' '}' > "$D/etc/incoming.conf"
: > "$D/etc/control.ctl"; echo '*:%s@moderators.example.test' > "$D/etc/moderators"; : > "$D/etc/distrib.pats"; : > "$D/etc/passwd.nntp"; : > "$D/etc/nnrpd.track"; : > "$D/etc/subscriptions"; : > "$D/etc/distributions"
: > "$D/etc/ovsqlite.conf"
printf '#!/bin/sh\nexec cat > "%s/moderator/$(date +%%s%%N)"\n' "$D" > "$D/moderator.sh"; chmod 755 "$D/moderator.sh"
cat > "$D/etc/readers.conf" <<CONF
$([ "$MODE" != required ] || printf 'auth "plain" {\n    hosts: "127.0.0.1"\n}')
auth "all" {
    hosts: "127.0.0.1"
    auth: "ckpasswd -f $D/etc/newsusers"
    $default
    $require_encryption
}
access "anon" {
    users: "anon"
    newsgroups: "*"
    access: RN
}
access "reader" {
    users: "reader,reader@*"
    newsgroups: "*"
    access: RPANI
}
CONF
if [ ! -s "$D/db/active" ]; then
  now=$(date +%s); : > "$D/db/active"; : > "$D/db/newsgroups"; : > "$D/db/active.times"
  for g in control control.cancel junk $GROUPS_; do
    f=y
    case $g in control*|junk) f=n ;; *:[mn]) f=${g#*:}; g=${g%:*} ;; esac
    echo "$g 0000000000 0000000001 $f" >> "$D/db/active"
    printf '%s\tTest group %s\n' "$g" "$g" >> "$D/db/newsgroups"; echo "$g $now root" >> "$D/db/active.times"
  done
  new=1
else new=0; fi
chmod 640 "$D/etc/newsusers" "$D/etc/readers.conf" "$D/etc/incoming.conf" "$D/etc/passwd.nntp"
as=; if [ "$(id -u)" = 0 ]; then chown -R "$RUNUSER:$grp" "$D"; as="setpriv --reuid=$RUNUSER --regid=$grp --clear-groups"; fi
export INNCONF="$D/etc/inn.conf" LD_LIBRARY_PATH="$LIB" PATH="$BIN:$PATH"
cat > "$D/ctlinnd" <<CTL
#!/bin/sh
# e.g.  ctlinnd newgroup my.group y creator ; ctlinnd rmgroup my.group ; ctlinnd shutdown bye
INNCONF=$INNCONF LD_LIBRARY_PATH=$LIB exec $as $BIN/ctlinnd "\$@"
CTL
chmod 755 "$D/ctlinnd"; cd "$D"
[ $new = 0 ] || { $as touch db/history; $as "$BIN/makedbz" -i -o -s 30000; }
if [ "$OVMETHOD" = ovsqlite ]; then      # its server must listen before innd starts
  rm -f "$D/run/ovsqlite.sock"; $as "$BIN/ovsqlite-server" -d &
  i=0; while [ ! -S "$D/run/ovsqlite.sock" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
fi
# the two reader daemons stay children of this pid; killing the process group stops everything
$as "$BIN/nnrpd" -D -f -b 127.0.0.1 -p "$READER_PORT" -P 0 &
$as "$BIN/nnrpd" -D -f -S -b 127.0.0.1 -p "$NNTPS_PORT" -P 0 &
exec $as "$BIN/innd" -f -u
