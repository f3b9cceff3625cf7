//! A server that is the only one: what `leader.rs` is in a program built without the feature `cluster`.

use std::future::Future;

use crate::config::Config;

pub(crate) async fn serve(
    _config: Config,
    _address: String,
    _shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    std::future::ready(()).await;
    anyhow::bail!(
        "`cluster.link_address` is set, and this signalling was built without the feature `cluster`: build \
         it with `--features cluster`, or leave the setting empty"
    )
}
