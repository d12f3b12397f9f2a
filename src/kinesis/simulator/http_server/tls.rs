//! TLS with a certificate of the server's own.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// The names and addresses that the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub(super) const HTTP2: &[u8] = b"h2";

/// A new key with its certificate.
pub(super) struct OwnCertificate {
    pub(super) acceptor: TlsAcceptor,
    /// The certificate, which is its own authority, in PEM.
    pub(super) pem: String,
}

impl OwnCertificate {
    /// Makes a key and a certificate.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new() -> io::Result<Self> {
        let names = NAMES.map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(io::Error::other)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            pem: made.cert.pem(),
        })
    }
}

/// The protocol that client and server agreed on, if the client named any.
pub(super) fn negotiated(connection: &TlsStream<TcpStream>) -> Option<&[u8]> {
    connection.get_ref().1.alpn_protocol()
}
