//! A proxy that the environment names for everybody, as company networks do, and that does not know us.

use storage::blob::servers::{Kind, Server};

use crate::house::House;

/// Nobody listens there.
const PROXY: &str = "http://127.0.0.1:9";

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_does_not_cut_the_services_off_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Server::start(Kind::Moto).await;
    let s3 = bucket.config();
    let config = folder.path().join("parley.toml");
    let text = format!(
        "[signalling.files]\nplace = \"s3\"\nendpoint = \"{}\"\nbucket = \"{}\"\n\
         access_key_id = \"{}\"\nsecret_key = \"{}\"\n",
        s3.endpoint,
        s3.bucket,
        s3.access_key_id,
        s3.secret_key.expose()
    );
    std::fs::write(&config, text).unwrap();
    let house = House::start_with(&folder.path().join("data"), |command| {
        command.arg("--config").arg(&config);
        for name in [
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ] {
            command.env(name, PROXY);
        }
    });
    // Told by signalling: the offloader has answered it.
    house.says("job service ready");
    // Told by signalling: the media host has let it in, and the bucket can be used.
    let (status, told) = house.get("/readyz", "").await;
    assert_eq!((status, told.as_str()), (200, "ready\n"));
}
