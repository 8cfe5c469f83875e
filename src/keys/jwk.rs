//! One key of a set: a JSON Web Key (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2) → [`Key`].

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::{Key, Origin, SharedSecrets};
use crate::json::{self, Members, Value};

/// The fewest and the most bits of an RSA key: what RFC 7518 (3.3) asks for, and what the verifier takes.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Reads one key, which validates tokens so, and by its own algorithm.
///
/// # Errors
///
/// Which key it is, and why it cannot verify tokens here, in words that carry no key.
pub(super) fn parse(index: usize, text: &str, origin: Origin, validation: &Validation) -> Result<Key, String> {
    let members = json::read_object(text.as_bytes()).map_err(|problem| format!("keys[{index}]: {}", problem.error))?;
    let jwk = Jwk { members, origin };
    jwk.key(validation).map_err(|why| match jwk.member("kid") {
        None => format!("keys[{index}]: {why}"),
        Some(id) => format!("keys[{index}] (kid {id}): {why}"),
    })
}

struct Jwk<'text> {
    members: Members<'text>,
    origin: Origin,
}

/// What the material of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    /// Bytes that only issuer and function know.
    Secret,
}

impl Kind {
    /// The algorithms of such a key. The first is that of a key without `alg`, unless the key is a secret.
    const fn algorithms(self) -> &'static [Algorithm] {
        use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa => &[RS256, RS384, RS512, PS256, PS384, PS512],
            Self::P256 => &[ES256],
            Self::P384 => &[ES384],
            Self::Ed25519 => &[EdDSA],
            Self::Secret => &[HS256, HS384, HS512],
        }
    }
}

impl Jwk<'_> {
    fn key(&self, validation: &Validation) -> Result<Key, String> {
        let kind = self.kind()?;
        self.check_exposure(kind)?;
        match self.string("use")? {
            None | Some("sig") => {}
            Some(_) => return Err(self.unexpected("use", "sig")),
        }
        match self.member("key_ops") {
            None => {}
            Some(Value::Array(operations))
                if operations.iter().any(|one| matches!(&one.value, Value::String(name) if name == "verify")) => {}
            Some(Value::Array(_)) => return Err("key_ops: expected \"verify\" among them, found others".to_owned()),
            Some(_) => return Err("key_ops: expected an array, found something else".to_owned()),
        }
        let algorithms = kind.algorithms();
        let algorithm = match self.string("alg")? {
            None if kind == Kind::Secret => None,
            None => algorithms.first().copied(),
            Some(name) => name.parse().ok().filter(|algorithm| algorithms.contains(algorithm)),
        };
        let algorithm = algorithm.ok_or_else(|| {
            let names: Vec<_> = algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
            self.unexpected("alg", &format!("{} for this type and curve", names.join(" or ")))
        })?;
        let id = self.string("kid")?.map(str::to_owned);
        let validation = Validation { algorithms: vec![algorithm], ..validation.clone() };
        Ok(Key { id, algorithm, decoding: self.material(kind, algorithm)?, validation })
    }

    fn kind(&self) -> Result<Kind, String> {
        match (self.needed("kty")?, self.string("crv")?) {
            ("RSA", _) => Ok(Kind::Rsa),
            ("oct", _) => Ok(Kind::Secret),
            ("EC", Some("P-256")) => Ok(Kind::P256),
            ("EC", Some("P-384")) => Ok(Kind::P384),
            ("OKP", Some("Ed25519")) => Ok(Kind::Ed25519),
            ("EC", _) => Err(self.unexpected("crv", "P-256 or P-384")),
            ("OKP", _) => Err(self.unexpected("crv", "Ed25519")),
            (_, _) => Err(self.unexpected("kty", "RSA, EC or OKP")),
        }
    }

    /// Refuses a key with which whoever can read the set could sign tokens.
    fn check_exposure(&self, kind: Kind) -> Result<(), String> {
        let found = match (kind, self.origin) {
            (_, _) if self.member("d").is_some() => "a private one",
            (Kind::Secret, Origin::Issuer) => "a secret (\"oct\")",
            (Kind::Secret, Origin::Setting(SharedSecrets::Refused)) => {
                "a secret (\"oct\"): whoever may read the function's configuration could sign tokens with it; \
                 ALLOW_SHARED_SECRETS=true takes it, for development"
            }
            (Kind::Secret, Origin::Setting(SharedSecrets::Allowed))
            | (Kind::Rsa | Kind::P256 | Kind::P384 | Kind::Ed25519, _) => return Ok(()),
        };
        Err(format!("expected a public key, found {found}"))
    }

    fn material(&self, kind: Kind, algorithm: Algorithm) -> Result<DecodingKey, String> {
        let (decoding, is_usable) = match kind {
            Kind::Rsa => {
                let (n, e) = (self.number("n", None)?, self.number("e", None)?);
                let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
                if !MODULUS_BITS.contains(&bits) {
                    let (least, most) = (MODULUS_BITS.start(), MODULUS_BITS.end());
                    return Err(format!("n: expected {least} to {most} bits, found {bits}"));
                }
                (DecodingKey::from_rsa_raw_components(&n, &e), PublicKeyComponents { n, e }.as_der().is_ok())
            }
            Kind::P256 => self.point(32, &ECDSA_P256_SHA256_FIXED)?,
            Kind::P384 => self.point(48, &ECDSA_P384_SHA384_FIXED)?,
            Kind::Ed25519 => {
                let x = self.bytes("x")?;
                (DecodingKey::from_ed_der(&x), ParsedPublicKey::new(&ED25519, x).is_ok())
            }
            Kind::Secret => {
                let secret = self.bytes("k")?;
                // As long as the hash (RFC 7518, 3.2).
                let least = match algorithm {
                    Algorithm::HS384 => 48,
                    Algorithm::HS512 => 64,
                    _ => 32,
                };
                (DecodingKey::from_secret(&secret), secret.len() >= least)
            }
        };
        is_usable
            .then_some(decoding)
            .ok_or_else(|| format!("expected key material for {algorithm:?}, found other material"))
    }

    /// An uncompressed point ("SEC 1: Elliptic Curve Cryptography", 2.3.3), and whether it is on the curve.
    fn point(&self, size: usize, curve: &'static dyn VerificationAlgorithm) -> Result<(DecodingKey, bool), String> {
        let point = [vec![4], self.number("x", Some(size))?, self.number("y", Some(size))?].concat();
        Ok((DecodingKey::from_ec_der(&point), ParsedPublicKey::new(curve, point).is_ok()))
    }

    /// A number: a coordinate has `size` octets (RFC 7518, 6.2.1.2), others as few as they need (RFC 7518, 2).
    /// Some issuers write more zeros before it, or fewer.
    fn number(&self, name: &str, size: Option<usize>) -> Result<Vec<u8>, String> {
        let octets = self.bytes(name)?;
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let (_, digits) = octets.split_at(zeros);
        let (size, kind) = size.map_or((digits.len(), " without a zero before them"), |size| (size, ""));
        match (size.checked_sub(digits.len()), self.origin) {
            (Some(zeros), Origin::Issuer) => Ok([&vec![0; zeros], digits].concat()),
            (_, Origin::Issuer | Origin::Setting(_)) if octets.len() == size => Ok(octets),
            (_, Origin::Issuer | Origin::Setting(_)) => {
                Err(format!("{name}: expected {size} octets{kind}, found {}", octets.len()))
            }
        }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        let text = self.needed(name)?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("{name}: expected base64url, found something else"))
    }

    fn needed(&self, name: &str) -> Result<&str, String> {
        self.string(name)?.ok_or_else(|| format!("expected a {name:?}, found none"))
    }

    fn string(&self, name: &str) -> Result<Option<&str>, String> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_ref())),
            Some(_) => Err(format!("{name}: expected a string, found something else")),
        }
    }

    /// A member of the key. Some issuers write `null` for one that is not there.
    fn member(&self, name: &str) -> Option<&Value<'_>> {
        self.members.value(name).filter(|value| **value != Value::Null)
    }

    fn unexpected(&self, name: &str, expected: &str) -> String {
        match self.member(name) {
            None => format!("expected a {name:?}, found none"),
            Some(found) => format!("{name}: expected {expected}, found {found}"),
        }
    }
}
