//! What is written, and what is refused. That servers and nodes understand it, `tests/nats` shows.

use super::*;

fn plan(servers: &[&str]) -> Plan {
    Plan {
        site: "site".to_owned(),
        servers: servers
            .iter()
            .map(|text| Server::read(text).unwrap())
            .collect(),
        nodes: Vec::new(),
        installed_in: "/etc/nats-server".into(),
        data_in: "/var/lib/nats-server".into(),
    }
}

fn text<'a>(files: &'a [File], path: &str) -> &'a str {
    let found = files.iter().find(|file| file.path == Path::new(path));
    found.unwrap_or_else(|| panic!("no {path}")).text.expose()
}

#[test]
fn a_server_is_a_name_and_an_address() {
    for (text, host, port, address) in [
        ("a=10.0.0.1", "10.0.0.1", 4222, "10.0.0.1:4222"),
        ("a=10.0.0.1:99", "10.0.0.1", 99, "10.0.0.1:99"),
        ("a=one.example", "one.example", 4222, "one.example:4222"),
        ("a=2001:db8::1", "2001:db8::1", 4222, "[2001:db8::1]:4222"),
        ("a=[2001:db8::1]:99", "2001:db8::1", 99, "[2001:db8::1]:99"),
    ] {
        let server = Server::read(text).unwrap();
        assert_eq!((&*server.host, server.port), (host, port), "{text}");
        assert_eq!(server.address(server.port), address, "{text}");
    }
    for bad in ["10.0.0.1", "a=", "a b=x", "a=x:port", "a=x\" y"] {
        let refused = Server::read(bad).unwrap_err();
        assert!(refused.to_string().contains(bad), "{refused}");
    }
}

#[test]
fn what_makes_no_cluster_is_refused() {
    let now = SystemTime::now();
    let refused = |plan| Setup::begin(plan, now).unwrap_err();
    let two = refused(plan(&["a=h", "b=i"]));
    assert_eq!(two, SetupError::Count { count: 2 });
    let twice = refused(plan(&["a=h", "b=i", "a=j"]));
    assert_eq!(twice.to_string(), "`a` stands for two servers");
    let mut unnamed = plan(&["a=h"]);
    unnamed.site = "my site".to_owned();
    assert!(refused(unnamed).to_string().contains("`my site`"));
    let (mut setup, _) = Setup::begin(plan(&["a=h"]), now).unwrap();
    assert!(setup.add_node("a.b").is_err());
}

#[test]
fn one_server_needs_no_others_and_three_know_each_other() {
    let now = SystemTime::now();
    let (_, files) = Setup::begin(plan(&["a=10.0.0.1"]), now).unwrap();
    let one = text(&files, "servers/a/server.conf");
    assert!(
        !one.contains("cluster {") && !one.contains("sync_interval"),
        "{one}"
    );
    assert!(
        one.contains("verify_and_map: true") && one.contains("include"),
        "{one}"
    );
    let servers = ["a=10.0.0.1", "b=10.0.0.2", "c=c.example:99"];
    let (setup, files) = Setup::begin(plan(&servers), now).unwrap();
    assert_eq!(setup.plan().copies(), 3);
    let first = text(&files, "servers/a/server.conf");
    let routes = r#"routes: ["nats://10.0.0.2:6222", "nats://c.example:2099"]"#;
    assert!(first.contains(routes), "{first}");
    assert!(first.contains("sync_interval: always"), "{first}");
}

#[test]
fn a_node_is_added_later_by_what_was_written() {
    let now = SystemTime::now();
    let (_, files) = Setup::begin(plan(&["a=10.0.0.1"]), now).unwrap();
    let key = Secret::new(text(&files, AUTHORITY_KEY));
    let (written, authority) = (text(&files, PLAN), text(&files, AUTHORITY));
    let mut later = Setup::read(written, authority, &key, now).unwrap();
    let first = later.add_node("n1").unwrap();
    let both = later.add_node("n2").unwrap();
    let rights = text(&both, "servers/a/rights.conf");
    for user in ["CN=n1,O=site", "CN=n2,O=site", "CN=nobody at all,O=site"] {
        assert!(rights.contains(user), "{user}");
    }
    assert_eq!(text(&both, "nodes/n2/authority.pem"), authority);
    assert_ne!(
        text(&first, "nodes/n1/key.pem"),
        text(&both, "nodes/n2/key.pem")
    );
    let again = later.add_node("n1").unwrap();
    assert_eq!(
        later.plan().nodes,
        ["n1", "n2"],
        "a new certificate, no new node"
    );
    assert_ne!(
        text(&first, "nodes/n1/key.pem"),
        text(&again, "nodes/n1/key.pem")
    );
    let other = Setup::read("{}", authority, &key, now).unwrap_err();
    assert!(
        other.to_string().starts_with("`cluster.json` is not"),
        "{other}"
    );
}
