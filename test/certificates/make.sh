#!/usr/bin/env bash
# Makes the certificates of the tests with OpenSSL, which shares no code with EIPC. They are committed: run this only to change
# them. The keys protect nothing.
set -euo pipefail
cd "$(dirname "$0")"
rm -f ./*.pem

# certificate NAME AUTHORITY END EXTENSION…: a key, and a certificate from 2020 to END; one that is its own AUTHORITY may sign others.
certificate() {
  local name=$1 by=$2 end=$3 self=()
  shift 3
  if [[ $name == "$by" ]]; then self=(-selfsign); fi
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name-key.pem" -out request.pem -subj "/CN=$name"
  printf '%s\n' '[ca]' 'default_ca = it' '[it]' 'database = index.txt' 'new_certs_dir = .' 'policy = any' 'rand_serial = yes' 'x509_extensions = say' \
    '[any]' 'commonName = supplied' '[say]' "$@" > config.txt
  : > index.txt
  openssl ca -batch -notext -md sha256 -config config.txt "${self[@]}" -cert "$by.pem" -keyfile "$by-key.pem" \
    -in request.pem -out "$name.pem" -startdate 20200101000000Z -enddate "$end"
  rm -f request.pem config.txt index.txt* ./[0-9A-F]*.pem
}

readonly LATE=21200101000000Z EARLY=20210101000000Z
readonly HERE='subjectAltName = DNS:localhost, DNS:server.test, IP:127.0.0.1, IP:::1'
readonly AUTHORITY=('basicConstraints = critical, CA:true' 'keyUsage = critical, keyCertSign') LEAF=('basicConstraints = critical, CA:false')

certificate authority authority "$LATE" "${AUTHORITY[@]}"
certificate stranger stranger "$LATE" "${AUTHORITY[@]}"
certificate server authority "$LATE" "${LEAF[@]}" "$HERE" 'extendedKeyUsage = serverAuth'
certificate other-name authority "$LATE" "${LEAF[@]}" 'subjectAltName = DNS:other.test' 'extendedKeyUsage = serverAuth'
certificate expired authority "$EARLY" "${LEAF[@]}" "$HERE" 'extendedKeyUsage = serverAuth, clientAuth'
certificate either authority "$LATE" "${LEAF[@]}" "$HERE" 'extendedKeyUsage = serverAuth, clientAuth'
certificate client authority "$LATE" "${LEAF[@]}" 'extendedKeyUsage = clientAuth'
certificate strange-server stranger "$LATE" "${LEAF[@]}" "$HERE" 'extendedKeyUsage = serverAuth'
certificate strange-client stranger "$LATE" "${LEAF[@]}" 'extendedKeyUsage = clientAuth'
rm authority-key.pem stranger-key.pem # nothing else is to be signed
