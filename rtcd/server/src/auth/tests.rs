//! Who is let in, and what the refusal says.

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn here() -> Source {
    Source::of([127, 0, 0, 1].into())
}

fn basic(name: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {pair}")
}

async fn auth(directory: &tempfile::TempDir) -> Auth {
    let config = SecurityConfig {
        allow_self_registration: false,
        admin_secret_key: Some(Secret::new("admin-key")),
        session_expiration: Duration::from_secs(60),
    };
    let location = crate::store::in_directory(directory.path());
    Auth::new(
        Store::open(&location).await.unwrap(),
        &config,
        2,
        &Tasks::new("rtcd"),
    )
    .unwrap()
}

#[tokio::test]
async fn recognises_clients_admin_and_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let auth = auth(&directory).await;
    auth.register("clientA", KEY, here()).await.unwrap();
    let client = Identity::Client(GroupId::parse("clientA").unwrap());

    // Twice: the second time from the table of verified pairs.
    for _ in 0..2 {
        assert_eq!(
            auth.authenticate(Some(&basic("clientA", KEY)), here())
                .await
                .unwrap(),
            client
        );
    }
    let admin = auth
        .authenticate(Some(&basic("anybody", "admin-key")), here())
        .await
        .unwrap();
    assert_eq!(admin, Identity::Admin);

    let token = auth.login("clientA", KEY, here()).await.unwrap();
    let bearer = format!("Bearer {token}");
    assert_eq!(
        auth.authenticate(Some(&bearer), here()).await.unwrap(),
        client
    );

    auth.unregister("clientA").await.unwrap();
    assert!(auth.authenticate(Some(&bearer), here()).await.is_err());
    assert!(
        auth.authenticate(Some(&basic("clientA", KEY)), here())
            .await
            .is_err()
    );
    assert!(matches!(
        auth.unregister("clientA").await,
        Err(UnregisterError::NotFound)
    ));
}

#[tokio::test]
async fn refuses_everybody_else() {
    let directory = tempfile::tempdir().unwrap();
    let auth = auth(&directory).await;
    auth.register("clientA", KEY, here()).await.unwrap();
    let long = "k".repeat(LONGEST_KEY + 1);
    let cases = [
        (None, "authentication failed: invalid auth header"),
        (
            Some("Basic ?".to_owned()),
            "authentication failed: invalid auth header",
        ),
        (Some(basic("", KEY)), "authentication failed: unauthorized"),
        (Some(basic("clientA", "wrong")), "authentication failed"),
        (Some(basic("clientB", KEY)), "authentication failed"),
        (Some(basic("clientA", &long)), "authentication failed"),
        (
            Some("Bearer nope".to_owned()),
            "authentication failed: token is invalid",
        ),
    ];
    for (header, text) in cases {
        let refused = auth
            .authenticate(header.as_deref(), here())
            .await
            .unwrap_err();
        assert_eq!(refused.to_string(), text, "{header:?}");
    }
}

#[tokio::test]
async fn registration_has_rules() {
    let directory = tempfile::tempdir().unwrap();
    let auth = auth(&directory).await;
    auth.register("clientA", KEY, here()).await.unwrap();
    let long = "k".repeat(LONGEST_KEY + 1);
    let cases = [
        ("", "short", "registration failed: key not long enough"),
        ("", KEY, "registration failed: error: empty key"),
        ("clientA", KEY, "registration failed: already registered"),
        (
            "clientB",
            &long,
            "registration failed: bcrypt: password length exceeds 72 bytes",
        ),
        (
            "two words",
            KEY,
            "registration failed: error: client id not usable: 1 to 128 printable characters",
        ),
    ];
    for (id, key, text) in cases {
        assert_eq!(
            auth.register(id, key, here())
                .await
                .unwrap_err()
                .to_string(),
            text
        );
    }
    auth.register("clientB", &"k".repeat(LONGEST_KEY), here())
        .await
        .unwrap();
}

#[test]
fn hashes_have_the_form_of_the_reference() {
    assert!(hash(KEY).unwrap().starts_with("$2a$10$"));
}
