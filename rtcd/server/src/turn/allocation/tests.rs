//! An allocation against a server that is played here, message by message.

use proto::redact::Secret;

use super::*;

const REALM: &str = "example.org";

fn credentials() -> Credentials {
    Credentials {
        username: "1700000000:s".to_owned(),
        password: Secret::new("pw"),
    }
}

fn relayed() -> SocketAddr {
    "203.0.113.1:50000".parse().unwrap()
}

fn peer() -> SocketAddr {
    "198.51.100.7:4000".parse().unwrap()
}

/// Takes out the requests an allocation sends.
fn sent(allocation: &mut Allocation) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| allocation.take_transmit()).collect()
}

fn only(allocation: &mut Allocation) -> Vec<u8> {
    let mut sent = sent(allocation);
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

fn refuse(request: &[u8], code: u8, nonce: &str) -> Vec<u8> {
    let request = Message::parse(request).unwrap();
    Builder::new(request.method, Class::Error, request.id)
        .attribute(Kind::ERROR_CODE, &[0, 0, 4, code])
        .attribute(Kind::REALM, REALM.as_bytes())
        .attribute(Kind::NONCE, nonce.as_bytes())
        .finish()
}

/// Checks a request as a server does, and grants it.
fn grant(request: &[u8], nonce: &str) -> Vec<u8> {
    let key = credentials().key(REALM);
    let message = Message::parse(request).unwrap();
    assert!(message.is_authentic(&key));
    assert_eq!(message.text(Kind::USERNAME), Some("1700000000:s"));
    assert_eq!(message.text(Kind::NONCE), Some(nonce));
    let answer = Builder::new(message.method, Class::Success, message.id);
    let answer = if message.method == Method::ALLOCATE {
        assert_eq!(message.get(Kind::REQUESTED_TRANSPORT), Some(&UDP[..]));
        answer
            .address(Kind::XOR_RELAYED_ADDRESS, relayed())
            .attribute(Kind::LIFETIME, &600u32.to_be_bytes())
    } else {
        answer
    };
    answer.finish_signed(&key)
}

fn up(now: Instant) -> Allocation {
    let mut allocation = Allocation::new(credentials(), now);
    let first = only(&mut allocation);
    allocation.handle(&refuse(&first, 1, "n1"), now);
    let second = only(&mut allocation);
    allocation.handle(&grant(&second, "n1"), now);
    assert_eq!(allocation.take_event(), Some(Event::Relayed(relayed())));
    allocation
}

#[test]
fn an_address_is_had_after_proving_who_asks() {
    let now = Instant::now();
    let mut allocation = up(now);
    assert_eq!(sent(&mut allocation).len(), 0);
    assert_eq!(
        allocation.deadline(),
        Some(now + Duration::from_secs(300)),
        "renewed at half its life"
    );
}

#[test]
fn wrong_credentials_are_not_tried_for_ever() {
    let now = Instant::now();
    let mut allocation = Allocation::new(credentials(), now);
    for _ in 0..2 {
        let request = only(&mut allocation);
        allocation.handle(&refuse(&request, 1, "n1"), now);
    }
    assert_eq!(sent(&mut allocation).len(), 0);
    assert!(matches!(allocation.take_event(), Some(Event::Over(_))));
    assert_eq!(allocation.deadline(), None);
}

#[test]
fn a_silent_server_is_given_up() {
    let mut now = Instant::now();
    let begin = now;
    let mut allocation = Allocation::new(credentials(), now);
    let mut requests = sent(&mut allocation);
    while let Some(at) = allocation.deadline() {
        now = at;
        allocation.tick(now);
        requests.extend(sent(&mut allocation));
    }
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| *request == requests[0]));
    assert_eq!(now - begin, Duration::from_millis(7500));
    assert!(matches!(allocation.take_event(), Some(Event::Over(_))));
}

#[test]
fn peers_are_permitted_once_and_renewed_with_a_fresh_nonce() {
    let mut now = Instant::now();
    let mut allocation = Allocation::new(credentials(), now);
    allocation.permit(peer().ip(), now);
    let first = only(&mut allocation);
    allocation.handle(&refuse(&first, 1, "n1"), now);
    let second = only(&mut allocation);
    allocation.handle(&grant(&second, "n1"), now);
    let permission = only(&mut allocation);
    let asked = Message::parse(&permission).unwrap();
    assert_eq!(asked.method, Method::CREATE_PERMISSION);
    let asked_for = asked.address(Kind::XOR_PEER_ADDRESS).unwrap();
    assert_eq!(asked_for.ip(), peer().ip());
    allocation.handle(&grant(&permission, "n1"), now);
    allocation.permit(peer().ip(), now);
    assert_eq!(sent(&mut allocation).len(), 0);

    now += PERMIT_EVERY;
    allocation.tick(now);
    let renewal = only(&mut allocation);
    allocation.handle(&refuse(&renewal, 38, "n2"), now);
    let repeated = only(&mut allocation);
    allocation.handle(&grant(&repeated, "n2"), now);
    assert_eq!(sent(&mut allocation).len(), 0);
}

#[test]
fn data_travels_by_indication_until_the_channel_is_bound() {
    let now = Instant::now();
    let mut allocation = up(now);
    let wrapped = allocation.wrap(peer(), b"hello", now);
    let indication = Message::parse(&wrapped).unwrap();
    assert_eq!(indication.method, Method::SEND);
    assert_eq!(indication.address(Kind::XOR_PEER_ADDRESS), Some(peer()));
    assert_eq!(indication.get(Kind::DATA), Some(&b"hello"[..]));
    let bind = only(&mut allocation);
    allocation.handle(&grant(&bind, "n1"), now);
    let wrapped = allocation.wrap(peer(), b"hello", now);
    assert_eq!(wrapped, b"\x40\x00\x00\x05hello");

    allocation.handle(b"\x40\x00\x00\x02hiPADDING", now);
    let bytes = Builder::new(Method::DATA, Class::Indication, [1; 12])
        .address(Kind::XOR_PEER_ADDRESS, peer())
        .attribute(Kind::DATA, b"ho")
        .finish();
    allocation.handle(&bytes, now);
    for data in [b"hi", b"ho"] {
        let (peer, data) = (peer(), data.to_vec());
        assert_eq!(allocation.take_event(), Some(Event::Data { peer, data }));
    }
    // Cut short, of a channel that is not there, of nobody.
    for junk in [
        &b"\x40\x00\x00\x09hi"[..],
        b"\x40\x01\x00\x02hi",
        b"\x40",
        b"",
    ] {
        allocation.handle(junk, now);
    }
    assert_eq!(allocation.take_event(), None);
}

#[test]
fn answers_of_others_are_not_believed() {
    let now = Instant::now();
    let mut allocation = Allocation::new(credentials(), now);
    let first = only(&mut allocation);
    allocation.handle(&refuse(&first, 1, "n1"), now);
    let request = only(&mut allocation);
    let asked = Message::parse(&request).unwrap();
    let forged = Builder::new(asked.method, Class::Success, asked.id)
        .address(Kind::XOR_RELAYED_ADDRESS, peer())
        .finish_signed(b"another key");
    allocation.handle(&forged, now);
    assert_eq!(allocation.take_event(), None);
    allocation.handle(&grant(&request, "n1"), now);
    assert_eq!(allocation.take_event(), Some(Event::Relayed(relayed())));
}

#[test]
fn an_address_is_given_back() {
    let now = Instant::now();
    let mut allocation = up(now);
    allocation.release();
    let request = only(&mut allocation);
    let message = Message::parse(&request).unwrap();
    assert_eq!(message.method, Method::REFRESH);
    assert_eq!(message.number(Kind::LIFETIME), Some(0));
    allocation.permit(peer().ip(), now);
    assert_eq!(sent(&mut allocation).len(), 0);
}

#[test]
fn strangers_cannot_make_it_grow() {
    let now = Instant::now();
    let mut allocation = up(now);
    for number in 0..1000u16 {
        let [high, low] = number.to_be_bytes();
        allocation.permit(IpAddr::from([10, 0, high, low]), now);
        allocation.wrap(SocketAddr::from(([10, 0, high, low], 1)), b"x", now);
    }
    assert_eq!(sent(&mut allocation).len(), 2 * MOST_PEERS);
}
