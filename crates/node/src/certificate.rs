//! Encodes self-signed certificates. Key and signature are `node:crypto`'s: no private key comes in here (docs/decisions/0009).

use eipc_core::Code;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, SigningKey,
};
use time::OffsetDateTime;

use crate::bytes;
use crate::error::internal;

/// What a certificate says.
#[napi(object, object_to_js = false)]
pub struct CertificateFields {
    /// The point of a key on P-256, uncompressed.
    pub public_key: Uint8Array,
    /// The common name of subject and issuer.
    pub common_name: String,
    /// Host names and IP addresses.
    pub names: Vec<String>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Up to 20 bytes, the first one below 128.
    pub serial_number: Uint8Array,
    /// Tells keys apart, 20 bytes (RFC 7093).
    pub key_identifier: Uint8Array,
}

/// Encodes a self-signed certificate for servers and clients, which can sign no other. `sign` makes the ECDSA signature (SHA-256, DER)
/// of the bytes it gets, with the key that belongs to `publicKey`. Returns DER.
#[napi(catch_unwind, ts_return_type = "Uint8Array")]
pub fn encode_certificate<'a>(
    env: &'a Env,
    fields: CertificateFields,
    #[napi(ts_arg_type = "(toBeSigned: Uint8Array) => Uint8Array")] sign: Function<
        'a,
        Unknown<'a>,
        Uint8Array,
    >,
) -> Result<Unknown<'a>, String> {
    let point = fields.public_key.to_vec();
    let params = params(fields).map_err(|error| failure(&error))?;
    let cert = params.self_signed(&RemoteKey { env, point, sign }).map_err(|error| failure(&error))?;
    bytes::copied(env, cert.der()).map_err(internal)
}

fn params(fields: CertificateFields) -> std::result::Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(fields.names)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, fields.common_name);
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_identifier_method = KeyIdMethod::PreSpecified(fields.key_identifier.to_vec());
    params.serial_number = Some(SerialNumber::from_slice(&fields.serial_number));
    let date = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| rcgen::Error::Time);
    params.not_before = date(fields.not_before)?;
    params.not_after = date(fields.not_after)?;
    Ok(params)
}

/// A key that is elsewhere.
struct RemoteKey<'a> {
    env: &'a Env,
    point: Vec<u8>,
    sign: Function<'a, Unknown<'a>, Uint8Array>,
}

impl PublicKeyData for RemoteKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for RemoteKey<'_> {
    fn sign(&self, to_be_signed: &[u8]) -> std::result::Result<Vec<u8>, rcgen::Error> {
        let failed = |_| rcgen::Error::RemoteKeyError;
        let to_be_signed = bytes::copied(self.env, to_be_signed).map_err(failed)?;
        let signature = self.sign.call(to_be_signed).map_err(failed)?;
        Ok(signature.to_vec())
    }
}

fn failure(error: &rcgen::Error) -> Error<String> {
    Error::new(Code::Internal.name().to_owned(), format!("the certificate cannot be made: {error}"))
}
