//! Takes the SRTP keys out of a connection while str0m negotiates it.
//!
//! In: the configuration of a connection. Out: the connection, and a slot that holds its keys from
//! shortly before `Event::Connected` on.
//! str0m makes exactly one DTLS instance per `build`, on the calling thread, before `build` returns:
//! a slot left in a thread-local variable is found by the instance it belongs to. That is how str0m is
//! built and not what it promises: `self_test` makes sure before anybody depends on it.
//! The instance is dimpl's, as str0m would make it, but all share one configuration: making one
//! tests every algorithm, which cost a third of a join.
//! Invariant: keys are taken once, and overwritten in memory when they are dropped.
//! See: RFC 5764 4.2 (which half of the exported block belongs to whom).

mod selftest;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider};
use str0m::{Rtc, RtcConfig};
use zeroize::Zeroizing;

use crate::half::{Half, Profile};

pub use selftest::{SelfTestFault, self_test};

/// Both directions of one DTLS session.
#[derive(Debug)]
pub struct Halves {
    /// What we send with.
    pub send: Half,
    /// What the other end sends with.
    pub receive: Half,
}

/// Holds the keys of one connection from the end of its DTLS handshake until they are taken.
#[derive(Clone)]
pub struct KeySlot(Arc<Mutex<Option<Exported>>>);

struct Exported {
    profile: Profile,
    /// Whether we are the DTLS client, whose half is the first.
    is_client: bool,
    block: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for KeySlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySlot")
    }
}

impl KeySlot {
    /// Takes the keys; `None` before the handshake, the second time, and for a peer that negotiated
    /// no SRTP. To be called after `Event::Connected`: only then the peer's certificate is known to
    /// be the one its description named.
    #[must_use]
    pub fn take(&self) -> Option<Halves> {
        let exported = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        exported?.halves()
    }

    fn put(&self, exported: Exported) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(exported);
    }
}

impl Exported {
    fn new(profile: SrtpProfile, material: &KeyingMaterial, is_client: bool) -> Option<Self> {
        // Not exhaustive: what is unknown here is left to str0m.
        let profile = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmSha1,
            SrtpProfile::AEAD_AES_128_GCM => Profile::Aes128Gcm,
            SrtpProfile::AEAD_AES_256_GCM => Profile::Aes256Gcm,
            _ => return None,
        };
        Some(Self {
            profile,
            is_client,
            block: Zeroizing::new(material.to_vec()),
        })
    }

    /// The block is: client key, server key, client salt, server salt.
    fn halves(&self) -> Option<Halves> {
        let (key_len, salt_len) = (self.profile.key_len(), self.profile.salt_len());
        let (client_key, rest) = self.block.split_at_checked(key_len)?;
        let (server_key, rest) = rest.split_at_checked(key_len)?;
        let (client_salt, rest) = rest.split_at_checked(salt_len)?;
        let (server_salt, _) = rest.split_at_checked(salt_len)?;
        let client = Half::new(self.profile, client_key, client_salt)?;
        let server = Half::new(self.profile, server_key, server_salt)?;
        Some(if self.is_client {
            Halves {
                send: client,
                receive: server,
            }
        } else {
            Halves {
                send: server,
                receive: client,
            }
        })
    }
}

thread_local! {
    static NEXT_SLOT: RefCell<Option<KeySlot>> = const { RefCell::new(None) };
}

/// Builds a connection whose keys can be taken from the slot once it is connected.
#[must_use]
pub fn build_tapped(config: RtcConfig, now: Instant) -> (Rtc, KeySlot) {
    let slot = KeySlot(Arc::new(Mutex::new(None)));
    NEXT_SLOT.with(|next| *next.borrow_mut() = Some(slot.clone()));
    let rtc = config.set_crypto_provider(provider()).build(now);
    // Left there, it would be found by a connection it does not belong to.
    NEXT_SLOT.with(|next| *next.borrow_mut() = None);
    (rtc, slot)
}

/// str0m's provider with the DTLS part wrapped; one per process.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| {
        let mut provider = str0m::crypto::from_feature_flags();
        provider.dtls_provider = Box::leak(Box::new(Tap {
            inner: provider.dtls_provider,
            shared: Mutex::new(None),
        }));
        Arc::new(provider)
    });
    Arc::clone(provider)
}

struct Tap {
    inner: &'static dyn DtlsProvider,
    /// The configuration made last, and the MTU it was made for.
    shared: Mutex<Option<(Option<usize>, Arc<dimpl::Config>)>>,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

impl Tap {
    fn config(&self, mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_for, config)) = &*shared
            && *made_for == mtu
        {
            return Ok(Arc::clone(config));
        }
        // ICE has proved the address before DTLS begins: a cookie would prove it again.
        let mut builder = dimpl::Config::builder().use_server_cookie(false);
        if let Some(mtu) = mtu {
            builder = builder.mtu(mtu);
        }
        let config = builder.build().map_err(CryptoError::DtlsImpl)?;
        let config = Arc::new(config);
        *shared = Some((mtu, Arc::clone(&config)));
        Ok(config)
    }
}

impl DtlsProvider for Tap {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.inner.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = self.config(mtu)?;
        let cert = DtlsCert {
            certificate: cert.certificate.clone(),
            private_key: cert.private_key.clone(),
        };
        // Not exhaustive: a version unknown here is not asked for.
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, cert, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, cert, now),
            DtlsVersion::Dtls12 | _ => dimpl::Dtls::new_12(config, cert, now),
        };
        let slot = NEXT_SLOT.with(|next| next.borrow_mut().take());
        Ok(Box::new(TappedInstance { dtls, slot }))
    }

    fn is_test(&self) -> bool {
        self.inner.is_test()
    }
}

/// Forwards everything, also what has a default body: those defaults would break closing.
struct TappedInstance {
    dtls: dimpl::Dtls,
    slot: Option<KeySlot>,
}

impl std::fmt::Debug for TappedInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TappedInstance")
    }
}

impl DtlsInstance for TappedInstance {
    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.dtls.poll_output(buffer);
        if let (DtlsOutput::KeyingMaterial(material, profile), Some(slot)) = (&output, &self.slot)
            && let Some(exported) = Exported::new(*profile, material, self.dtls.is_active())
        {
            slot.put(exported);
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}
