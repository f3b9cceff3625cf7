//! Who vouches for servers and nodes: one authority for one cluster, and for nothing else.

use std::fmt;
use std::time::{Duration, SystemTime};

use cluster::NodeId;
use proto::redact::Secret;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;

use super::{Server, SetupError};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The authority outlives what it vouches for.
const AUTHORITY_LASTS: u32 = 20 * 365;
/// Long, since nobody is told in advance; `add-node` again gives a new one.
const LASTS: u32 = 5 * 365;

/// For whom a certificate is.
pub(super) enum Purpose<'a> {
    Server(&'a Server),
    Node(&'a str),
}

impl fmt::Display for Purpose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => write!(f, "the server `{}`", server.name),
            Self::Node(name) => write!(f, "the node `{name}`"),
        }
    }
}

pub(super) struct Authority {
    site: String,
    pub(super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl Authority {
    pub(super) fn new(site: &str, now: SystemTime) -> Result<Self, SetupError> {
        let failed = |error| refused("the authority", &error);
        let key = KeyPair::generate().map_err(failed)?;
        let params = params(site, now);
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self {
            site: site.to_owned(),
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// Takes up what was written: the name follows from the site, and the key from its file.
    pub(super) fn read(
        site: &str,
        certificate: &str,
        key: &Secret,
        now: SystemTime,
    ) -> Result<Self, SetupError> {
        let key = KeyPair::from_pem(key.expose());
        let key = key.map_err(|error| refused("the authority", &error))?;
        Ok(Self {
            site: site.to_owned(),
            certificate: certificate.to_owned(),
            issuer: Issuer::new(params(site, now), key),
        })
    }

    pub(super) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Makes a key and the certificate for it.
    pub(super) fn issue(
        &self,
        purpose: &Purpose<'_>,
        now: SystemTime,
    ) -> Result<(String, String), SetupError> {
        let (key, certificate) = self
            .signed(purpose, now)
            .map_err(|error| refused(&purpose.to_string(), &error))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn signed(
        &self,
        purpose: &Purpose<'_>,
        now: SystemTime,
    ) -> Result<(KeyPair, Certificate), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        lasts(&mut params, now, LASTS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        match purpose {
            Purpose::Server(server) => {
                // A server asks the other servers as a client does.
                params.extended_key_usages = vec![
                    ExtendedKeyUsagePurpose::ServerAuth,
                    ExtendedKeyUsagePurpose::ClientAuth,
                ];
                params.subject_alt_names = vec![match server.ip() {
                    Some(ip) => SanType::IpAddress(ip),
                    None => SanType::DnsName(server.host.as_str().try_into()?),
                }];
                // No name of a node: a server's certificate lets nobody in as one.
                params.distinguished_name = name(&format!("server {}", server.name), &self.site);
            }
            Purpose::Node(node) => {
                // Nodes call each other, too. The name is no address: no server of the cluster has it.
                params.extended_key_usages = vec![
                    ExtendedKeyUsagePurpose::ServerAuth,
                    ExtendedKeyUsagePurpose::ClientAuth,
                ];
                let own = NodeId::new(node).map(|node| node.dns_name(&self.site));
                let own = own.unwrap_or_else(|_| (*node).to_owned());
                params.subject_alt_names = vec![SanType::DnsName(own.try_into()?)];
                params.distinguished_name = name(node, &self.site);
            }
        }
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((key, certificate))
    }
}

fn name(common: &str, site: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, site);
    name.push(DnType::CommonName, common);
    name
}

fn params(site: &str, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    lasts(&mut params, now, AUTHORITY_LASTS);
    params.distinguished_name = name("the authority", site);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// From a day ago, for clocks that go wrong.
fn lasts(params: &mut CertificateParams, now: SystemTime, days: u32) {
    params.not_before = OffsetDateTime::from(now - DAY);
    params.not_after = OffsetDateTime::from(now + DAY * days);
}

fn refused(whom: &str, error: &rcgen::Error) -> SetupError {
    SetupError::Certificate {
        whom: whom.to_owned(),
        why: error.to_string(),
    }
}
