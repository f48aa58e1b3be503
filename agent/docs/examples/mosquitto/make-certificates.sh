#!/bin/sh
# An authority, and certificates for the broker, the hub and the cameras, in ./certs.
#
#   sh make-certificates.sh BROKER CAMERA...    make what is missing
#   sh make-certificates.sh --revoke CAMERA     refuse a camera from the broker's next start on
#
# BROKER is the name or address under which the cameras reach the broker (their mqtt.host).
# A camera needs three of the files: ca.pem, CAMERA.pem and CAMERA.key. ca.key signs: keep it off
# the broker. Certificates are good for a year (DAYS=30 for another time); run it again to renew
# what ends within four weeks.
set -eu
umask 077

DAYS=${DAYS:-365}
RENEW_S=2419200
SCRIPT=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

if [ $# -lt 2 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$SCRIPT" >&2
    exit 64
fi
mkdir -p certs data
cd certs

config() {
    cat > openssl.cnf <<END
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
serial = serial
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = $DAYS
default_crl_days = 3650
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
commonName = $1
[authority_extensions]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[extensions]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = $2
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $3
END
}

new_key() {
    [ -f "$1" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

authority() {
    [ -f ca.pem ] && return
    config "bodycam broker authority" clientAuth DNS:none
    new_key ca.key
    openssl req -x509 -new -key ca.key -days 3650 -config openssl.cnf \
        -extensions authority_extensions -out ca.pem
    : > index.txt
    echo 01 > serial
}

# file, common name, usage, alternative name
issue() {
    [ -f "$1.pem" ] && openssl x509 -noout -checkend "$RENEW_S" -in "$1.pem" > /dev/null && return
    config "$2" "$3" "$4"
    new_key "$1.key"
    openssl req -new -key "$1.key" -config openssl.cnf -out "$1.csr"
    openssl ca -batch -notext -config openssl.cnf -extensions extensions \
        -in "$1.csr" -out "$1.new" 2> openssl.log || { cat openssl.log >&2; exit 1; }
    mv "$1.new" "$1.pem"
    rm -f "$1.csr"
    echo "certs/$1.pem: for $2"
}

revocations() {
    openssl ca -config openssl.cnf -gencrl -out crl.pem 2> openssl.log
}

if [ "$1" = --revoke ]; then
    config "$2" clientAuth "DNS:$2"
    openssl ca -batch -config openssl.cnf -revoke "$2.pem" 2> openssl.log
    revocations
    echo "certs/$2.pem: revoked; restart the broker"
    exit 0
fi

broker=$1
shift
authority
case $broker in
    *[!0-9.]*) issue server "$broker" serverAuth "DNS:$broker" ;;
    *) issue server "$broker" serverAuth "IP:$broker" ;;
esac
for name in hub "$@"; do
    case $name in
        server | ca | "" | *[!A-Za-z0-9_.-]*)
            echo "$name: a camera's name has letters, digits, _, . and - only" >&2
            exit 64 ;;
    esac
    issue "$name" "$name" clientAuth "DNS:$name"
done
revocations
