//! `rtcd drain`: asks a node that runs to drain, as SIGTERM does.
//!
//! In: the node's configuration, perhaps the address of another node with the same admin key. Out: that it
//! drains, or why not, in words.
//! Not here: draining (`node`).

use std::time::Duration;

use anyhow::{Context as _, bail};
use proto::rtcd::ApiAnswer;
use service::outgoing::Whom;

use crate::Config;

/// A node that says nothing for so long does not answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Asks; returns once the node has begun.
///
/// # Errors
/// When there is no admin key, or the node does not answer or refuses.
pub async fn ask(config: &Config, url: Option<&str>) -> anyhow::Result<String> {
    let key = config.security.admin_secret_key.as_ref();
    let key = key.context(
        "the node takes orders from its admin alone: set api.security.enable_admin and \
         api.security.admin_secret_key, or send SIGTERM to the process",
    )?;
    let url = url.map_or_else(|| own_url(config), |url| Ok(url.to_owned()))?;
    let client = Whom::OwnServices.client();
    let client = client.timeout(ANSWER_WITHIN).build()?;
    let asked = client.post(format!("{}/drain", url.trim_end_matches('/')));
    let asked = asked.basic_auth("admin", Some(key.expose())).send().await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => bail!("ask `{url}`: {}", Whom::OwnServices.words(&error)),
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(format!(
            "`{url}` drains: it takes no new calls, and ends when its last session has"
        ));
    }
    let said: ApiAnswer = answer.json().await.unwrap_or_default();
    bail!(
        "`{url}` refuses with {status}: {}",
        said.error.unwrap_or_default()
    )
}

/// Where the node of this configuration listens, from its own machine.
fn own_url(config: &Config) -> anyhow::Result<String> {
    let listen = &config.http.listen_address;
    if config.http.tls.is_some() {
        bail!(
            "its certificate has a name, which `{listen}` does not tell: --url https://NAME:PORT"
        );
    }
    let (host, port) = listen
        .rsplit_once(':')
        .with_context(|| format!("`{listen}` has no port (api.http.listen_address)"))?;
    let host = match host {
        "" | "0.0.0.0" | "[::]" => "127.0.0.1",
        named => named,
    };
    Ok(format!("http://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use proto::redact::Secret;

    use super::*;

    fn config(directory: &std::path::Path) -> Config {
        let mut config = Config::local(directory);
        config.security.admin_secret_key = Some(Secret::new("admin-secret"));
        config
    }

    #[test]
    fn the_node_of_a_configuration_is_asked_from_its_own_machine() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        for (listens, asked) in [
            (":8045", "http://127.0.0.1:8045"),
            ("0.0.0.0:8045", "http://127.0.0.1:8045"),
            ("10.0.0.2:1", "http://10.0.0.2:1"),
        ] {
            config.http.listen_address = listens.to_owned();
            assert_eq!(own_url(&config).unwrap(), asked);
        }
    }

    #[tokio::test]
    async fn a_node_that_is_asked_by_its_admin_drains_and_nobody_else_is_heard() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        let node = crate::start(config.clone()).await.unwrap();
        config.http.listen_address = node.http_addr().to_string();

        let mut stranger = config.clone();
        stranger.security.admin_secret_key = Some(Secret::new("another"));
        let refused = ask(&stranger, None).await.unwrap_err();
        assert!(refused.to_string().contains("401"), "{refused}");
        stranger.security.admin_secret_key = None;
        let without = ask(&stranger, None).await.unwrap_err();
        assert!(without.to_string().contains("SIGTERM"), "{without}");
        assert!(!*node.drain_asked().borrow());

        let said = ask(&config, None).await.unwrap();
        assert!(said.contains("drains"), "{said}");
        let mut asked = node.drain_asked();
        tokio::time::timeout(Duration::from_secs(5), asked.wait_for(|asked| *asked))
            .await
            .unwrap()
            .unwrap();
        node.stop().await.unwrap();
        let gone = ask(&config, None).await.unwrap_err();
        assert!(gone.to_string().contains("ask `http://"), "{gone}");
    }

    #[tokio::test]
    async fn a_node_without_an_admin_drains_for_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        config.security.admin_secret_key = None;
        let node = crate::start(config.clone()).await.unwrap();
        config.http.listen_address = node.http_addr().to_string();
        config.security.admin_secret_key = Some(Secret::new("admin-secret"));
        let refused = ask(&config, None).await.unwrap_err();
        assert!(refused.to_string().contains("enable_admin"), "{refused}");
        node.stop().await.unwrap();
    }
}
