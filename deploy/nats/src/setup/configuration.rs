//! The texts that servers and nodes read.

use std::fmt::Write as _;

use super::{Plan, Server};
use crate::names::Names;

/// How long a node may take to answer a question: the right to answer lasts so long.
const ANSWER: &str = "2m";

/// What one server reads first.
pub(super) fn server(plan: &Plan, server: &Server) -> String {
    let listen = server.ip().map_or_else(
        || format!("0.0.0.0:{}", server.port),
        |_| server.address(server.port),
    );
    let papers = |rule: &str| {
        let folder = plan.installed_in.display();
        format!(
            "tls {{\n  cert_file: \"{folder}/certificate.pem\"\n  key_file: \"{folder}/key.pem\"\n  \
             ca_file: \"{folder}/authority.pem\"\n  {rule}\n  timeout: 5\n}}"
        )
    };
    let several = plan.servers.len() > 1;
    // Without it what is acknowledged may be in the memory of most servers only. One server may be
    // older than the word.
    let sync = if several {
        "\n  sync_interval: always"
    } else {
        ""
    };
    let mut text = format!(
        "# Written by `parley cluster init` for the server `{name}` of the cluster `{site}`.\n\
         server_name: \"{name}\"\n\
         listen: \"{listen}\"\n\
         # Connections that do not answer are given up within six seconds.\n\
         ping_interval: \"2s\"\n\
         ping_max: 2\n\
         write_deadline: \"5s\"\n\
         jetstream {{\n  store_dir: \"{data}\"\n  max_memory_store: 256MB\n  max_file_store: 4GB{sync}\n}}\n\
         # Who a node is, its certificate says.\n\
         {tls}\n\
         include \"./rights.conf\"\n",
        name = server.name,
        site = plan.site,
        data = plan.data_in.display(),
        tls = papers("verify_and_map: true"),
    );
    if several {
        let listen = server.ip().map_or_else(
            || format!("0.0.0.0:{}", server.servers_port()),
            |_| server.address(server.servers_port()),
        );
        let others = plan
            .servers
            .iter()
            .filter(|other| other.name != server.name);
        let routes: Vec<String> = others
            .map(|other| format!("\"nats://{}\"", other.address(other.servers_port())))
            .collect();
        // Writing to a String does not fail.
        let _written = write!(
            text,
            "cluster {{\n  name: \"{site}\"\n  listen: \"{listen}\"\n  routes: [{routes}]\n  {tls}\n}}\n",
            site = plan.site,
            routes = routes.join(", "),
            tls = papers("verify: true").replace('\n', "\n  "),
        );
    }
    text
}

/// What the nodes may do, the same for every server.
pub(super) fn rights(plan: &Plan, names: &Names) -> String {
    let mut text = String::from(
        "# Written by `parley cluster`: who may do what. Each node speaks as itself, hears what is for\n\
         # all and what is for itself, and changes or deletes nothing that others need.\n\
         authorization {\n  timeout: 5\n  users: [\n",
    );
    for node in &plan.nodes {
        // Writing to a String does not fail.
        let _written = write!(
            text,
            "    {{\n      user: \"CN={node},O={site}\"\n      permissions: {{\n        \
             publish: {{ allow: [{publish}] }}\n        subscribe: {{ allow: [{hear}] }}\n        \
             allow_responses: {{ max: 1, expires: \"{ANSWER}\" }}\n      }}\n    }}\n",
            site = plan.site,
            publish = list(&names.may_publish(node)),
            hear = list(&names.may_hear(node)),
        );
    }
    // A list of nobody would let in everybody whom the authority knows.
    let _written = write!(
        text,
        "    {{\n      user: \"CN=nobody at all,O={}\"\n      permissions: {{ publish: {{ deny: \">\" }}, \
         subscribe: {{ deny: \">\" }} }}\n    }}\n  ]\n}}\n",
        plan.site
    );
    text
}

fn list(subjects: &[String]) -> String {
    let lines: Vec<String> = subjects
        .iter()
        .map(|subject| format!("\n          \"{subject}\""))
        .collect();
    lines.join(",")
}

/// What one node reads.
pub(super) fn node(plan: &Plan, name: &str) -> String {
    let servers: Vec<String> = plan
        .servers
        .iter()
        .map(|server| format!("\"{}\"", server.address(server.port)))
        .collect();
    format!(
        "# Written by `parley cluster add-node` for the node `{name}`. The files lie beside it.\n\
         [cluster]\nnode = \"{name}\"\nsite = \"{site}\"\nservers = [{servers}]\ncopies = {copies}\n\
         authority = \"authority.pem\"\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n",
        site = plan.site,
        servers = servers.join(", "),
        copies = plan.copies(),
    )
}
