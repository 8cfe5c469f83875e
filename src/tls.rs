//! TLS, and whom it trusts: DynamoDB and the issuer of keys show certificates of these authorities.

use aws_smithy_http_client::HttpClientError;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

/// TLS by the library that the tokens use too.
pub const PROVIDER: Provider = Provider::Rustls(CryptoMode::AwsLc);

/// The certificate authorities that are trusted unless a setting names others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorities {
    /// Those that sign the certificates of AWS ("Amazon Trust Services" publishes them). Reading five is much faster than
    /// reading all that a machine trusts.
    Amazon,
    /// All that the machine trusts.
    Machine,
}

/// TLS that trusts the authorities in `bundle`, in PEM, or `otherwise` these.
pub fn context(bundle: Option<&[u8]>, otherwise: Authorities) -> Result<TlsContext, HttpClientError> {
    const AMAZON: &[u8] = include_bytes!("amazon-roots.pem");
    let none = TrustStore::empty();
    let trusted = match (bundle, otherwise) {
        (Some(bundle), _) => none.with_pem_certificate(bundle),
        (None, Authorities::Amazon) => none.with_pem_certificate(AMAZON),
        (None, Authorities::Machine) => none.with_native_roots(true),
    };
    TlsContext::builder().with_trust_store(trusted).build()
}
